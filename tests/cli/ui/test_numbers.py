"""Numbers as commands show them."""

import math

import pytest

from charlm.cli.ui.numbers import perplexity_of


@pytest.mark.parametrize(
    ("value", "shown"),
    [(7.1234, "7.12"), (12_345.678, "12,345.68"), (1e300, "1.00e+300"), (math.inf, "above 1e304")],
)
def test_a_perplexity_of_any_size_is_short(value: float, shown: str) -> None:
    assert perplexity_of(value, 2) == shown
