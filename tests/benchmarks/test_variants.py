"""The variants of training that one of the benchmarks compares."""

from functools import cache
from pathlib import Path

import pytest
import variants

SENTENCES = "".join(f"The {number} ate {number * number % 97} of them.\n" for number in range(400))


@cache
def loss(name: str) -> float:
    """What a variant reaches in a few steps; the text is in the working folder."""
    return variants.run("sentences.txt", name, seed=1, steps=6, threads=1)


@pytest.mark.parametrize("name", variants.VARIANTS)
def test_a_variant_changes_what_a_run_learns(name: str) -> None:
    Path("sentences.txt").write_text(SENTENCES)
    assert 0 < loss(name) < 10
    assert name == "rule" or loss(name) != loss("rule")
