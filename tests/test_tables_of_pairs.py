"""Tables of pairs: sources and targets, and what is wrong with a table."""

import json

import pytest

from charlm.config import CorpusConfig
from charlm.data.inputs.records import read_records
from charlm.errors import ConfigError, CorpusError

CONFIG = CorpusConfig(documents="record", source_column="one", target_column="many")
PAIRS = [("ox", "oxen"), ("a, b", "c\nd")]


def pairs(content: str) -> list[tuple[str, str]]:
    return [
        pair for part in read_records([content], CONFIG, "x") for pair in zip(part.sources, part.texts, strict=True)
    ]


def test_pairs_are_read_from_tables_and_json_lines() -> None:
    assert pairs('many,other,one\noxen,1,ox\n,2,\n"c\nd",3,"a, b"\n') == PAIRS
    assert pairs('one\tmany\nox\toxen\na, b\t"c\nd"\n') == PAIRS
    assert pairs("\n".join(json.dumps({"many": target, "one": source}) for source, target in PAIRS)) == PAIRS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one,two\na,b\n", "no column 'many'"),
        ("two,many\na,b\n", "no column 'one'"),
        ('{"one": "a"}\n', "no 'many'"),
        ("one,many\na,b\n,c\n", "line 3: 'one' is empty"),
        ("one,many\na,b\nc,\n", "line 3: 'many' is empty"),
    ],
)
def test_a_table_without_whole_pairs_is_an_error(content: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        pairs(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source_column": "a"}, "need each other"),
        ({"target_column": "a"}, "need each other"),
        ({"source_column": "a", "target_column": "a"}, "are both 'a'"),
        ({"source_column": "a", "target_column": "b", "text_column": "c"}, "can't be combined"),
        ({"source_column": "a", "target_column": "b", "label_column": "a"}, "both a text and a label"),
        ({"source_column": "a", "target_column": "b", "direction": "backward"}, "--direction backward"),
    ],
)
def test_columns_that_contradict_each_other_are_an_error(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CorpusConfig(documents="record", **options)


def test_another_text_can_have_other_columns() -> None:
    assert CONFIG.changed({"source_column": "a", "target_column": "b"}).target_column == "b"
    assert not CONFIG.changed({"text_column": "a"}).is_pairs
    assert not CONFIG.changed({"documents": "line"}).is_pairs
    assert (
        CorpusConfig(documents="record", text_column="a").changed({"source_column": "b", "target_column": "c"}).is_pairs
    )
