"""The labels of a text, and why some can't be learnt."""

import pytest

from charlm.config import MAX_LABEL_VALUES, CorpusConfig, LabelColumn
from charlm.data.labels import LabelCounts, source_labels
from charlm.errors import CorpusError

CONFIG = CorpusConfig(documents="record", text_column="text", label_column="n", label_files="file")


def columns(values: list[str], config: CorpusConfig = CONFIG) -> tuple[LabelColumn, ...]:
    counts = LabelCounts(config)
    for index, value in enumerate(values):
        counts.add((("n", value), ("file", "ab"[index % 2])), 1)
    return counts.columns(len(values), ("n", "text"))


def test_values_are_in_order() -> None:
    number, file = columns(["10", "9", "x", "9", "-1", "nan", "9"])
    assert number == LabelColumn(name="n", values=("-1", "9", "10", "nan", "x"), documents=(1, 3, 1, 1, 1))
    assert file.values == ("a", "b") and file.shares == pytest.approx((4 / 7, 3 / 7))


def test_a_number_column_is_an_error() -> None:
    assert len(columns([str(n % 30) for n in range(60)])[0].values) == 30
    with pytest.raises(CorpusError, match=r"--label-column n has 30 different values in 50 documents; .*into ranges"):
        columns([str(n % 30) for n in range(50)])
    with pytest.raises(CorpusError, match=r"--label-column n has more than 1,000 different values"):
        columns([str(n % 1001) for n in range(9009)])
    config = CorpusConfig(label_files="file", label_folders="n")
    with pytest.raises(CorpusError, match=r"the labels have 1,001 values together; at most 1,000"):
        columns([str(n % (MAX_LABEL_VALUES - 1)) for n in range(2000)], config)


def test_a_label_that_says_nothing_is_an_error() -> None:
    with pytest.raises(CorpusError, match="--label-column n has only the value '5', which says nothing"):
        columns(["5", "5"])


def test_a_missing_column_is_an_error() -> None:
    config = CorpusConfig(documents="record", text_column="text", label_column="strs", label_folders="kind")
    with pytest.raises(CorpusError, match="--label-column strs: there is no such column; did you mean 'stars'"):
        LabelCounts(config).columns(3, ("stars", "text"))
    with pytest.raises(CorpusError, match="--label-column strs: no document has a value in this column"):
        LabelCounts(config).columns(3, ("strs", "text"))
    with pytest.raises(CorpusError, match="--label-folders kind: the text has no sub-folders"):
        LabelCounts(CorpusConfig(label_folders="kind")).columns(3, ())


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("austen.txt", {"file": "austen"}),
        ("novels/emma.v2.txt", {"file": "emma.v2", "kind": "novels"}),
        ("novels/old/emma.txt", {"file": "emma", "kind": "novels"}),
    ],
)
def test_names_are_labels(name: str, labels: dict[str, str]) -> None:
    assert dict(source_labels(name, CorpusConfig(label_files="file", label_folders="kind"))) == labels
    assert source_labels(name, CorpusConfig()) == ()
