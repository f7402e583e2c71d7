"""Numbers as commands show them."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from charlm.cli.ui.numbers import ago, perplexity_of, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [(7.1234, "7.12"), (12_345.678, "12,345.68"), (1e300, "1.00e+300"), (math.inf, "above 1e304")],
)
def test_a_perplexity_of_any_size_is_short(value: float, shown: str) -> None:
    assert perplexity_of(value, 2) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (123_456, "123 kB"), (5 * 10**12, "5000 GB")],
)
def test_a_size_has_the_unit_that_fits(number: int, shown: str) -> None:
    assert size(number) == shown


@pytest.mark.parametrize(
    ("hours", "shown"), [(0, "0 s ago"), (0.5, "30 min ago"), (23, "23 h ago"), (24, "1 day ago"), (49, "2 days ago")]
)
def test_a_moment_is_as_long_ago_as_it_is(hours: float, shown: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(hours=hours, milliseconds=1)) == shown
