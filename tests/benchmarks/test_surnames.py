"""The splits and scores of benchmarks/surnames.py."""

import math
from pathlib import Path

import pytest
from surnames import scores, split_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two languages with 20 names of their own, 10 in common, and a repeated one."""
    shared = [f"Shared{i}" for i in range(10)]
    for language in ("Dutch", "Greek"):
        own = [f"{language}{i}" for i in range(20)]
        text = "\n".join([*own, *shared, own[0], ""])
        (tmp_path / f"{language}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_every_name_is_in_one_split_once_per_language(folder: Path) -> None:
    splits = split_names(folder, seed=1)
    pairs = [pair for names in splits.values() for pair in names]
    assert len(pairs) == len(set(pairs)) == 60
    names = [{name for name, _ in split} for split in splits.values()]
    assert sum(map(len, names)) == len(set().union(*names))


def test_the_splits_have_their_share_of_every_language(folder: Path) -> None:
    splits = split_names(folder, seed=1)
    for language in ("Dutch", "Greek"):
        sizes = {split: sum(one == language for _, one in names) for split, names in splits.items()}
        assert sizes == {"train": 21, "valid": 3, "test": 6}
    assert splits == split_names(folder, seed=1) != split_names(folder, seed=2)


def test_scores() -> None:
    names = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")]
    sure, unsure = {"x": 0.75, "y": 0.25}, {"x": 0.4, "y": 0.6}
    found = scores(names, [sure, sure, unsure, unsure])
    assert found["accuracy"] == 0.75
    assert found["macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["nats"] == pytest.approx(-math.log(0.75 * 0.75 * 0.4 * 0.6) / 4)
