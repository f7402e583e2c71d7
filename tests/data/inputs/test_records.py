"""Records of CSV, TSV and JSON Lines become documents with labels; whatever else is in a file is one clear error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import CorpusConfig
from charlm.data.inputs.records import read_records
from charlm.errors import CorpusError

CONFIG = CorpusConfig(documents="record", text_column="text", label_column=("stars", "who"))
WHOLE = [('a, b\n"c"', {"stars": "5", "who": "ann"}), ("d", {"stars": "1"}), ("e", {"stars": "1"}), ("f", {})]


def documents(content: str, size: int = 7) -> list[tuple[str, dict[str, str]]]:
    """The documents of a source that arrives in pieces."""
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    parts = read_records(pieces, CONFIG, "x")
    return [(text, dict(part.labels)) for part in parts for text in part.texts]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_is_read(delimiter: str, line_end: str) -> None:
    lines = [" stars,text,who ", '5,"a, b\n""c""", ann', "1,d,", "1,e,", "", "2,,bob", ",f,"]
    content = line_end.join(lines).replace(", ", "@").replace(",", delimiter).replace("@", ", ")
    content = content.replace(", ann", f"{delimiter}ann")
    assert documents(content) == WHOLE == documents(content + line_end, 1)


def test_json_lines_are_read() -> None:
    records = [
        {"text": 'a, b\n"c"', "stars": 5, "who": " ann "},
        {"text": "d", "stars": "1", "who": None},
        {"text": "e", "stars": "1", "other": [1]},
        {"text": "", "stars": "2"},
        {"text": None, "stars": "2"},
        {"text": "f", "who": ""},
    ]
    assert documents("\n" + "\n\n".join(map(json.dumps, records))) == WHOLE


def test_documents_that_share_labels_come_together() -> None:
    parts = [*read_records(["stars,text,who\n1,a,\n1,b,\n2,c,\n"], CONFIG, "x")]
    assert [(part.texts, part.labels) for part in parts] == [
        (["a", "b"], (("stars", "1"),)),
        (["c"], (("stars", "2"),)),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("stars,who\n1,2\n", "x has no column 'text'; its columns are stars, who"),
        ("stars,Text\n1,2\n", "x has no column 'text'; did you mean 'Text'?"),
        ("no table", "x has no column 'text'; its columns are no table"),
        ("stars,text\n1,a, b\n", "x, line 2: 3 fields, but the header has 2; put a text that contains ',' or a line"),
        ('text,stars\n"a"b,1\n', "x, line 2: not a record of a table (',' expected after '\"')"),
        ('text,stars\n"a,1\n', "x, line 2: not a record of a table (unexpected end of data)"),
        ('{"text": "a"}\n[1]\n', "x, line 2: not a JSON object"),
        ('{"text": "a"\n', "x, line 1: not a JSON object"),
        ("{" * 100_000, "x, line 1: not a JSON object"),
        ('{"body": "a"}\n', "x, line 1: no 'text'; its columns are body"),
        ('{"text": ["a"]}\n', "x, line 1: 'text' is a JSON list; give a string"),
        ('{"text": "a", "stars": {}}\n', "x, line 1: 'stars' is a JSON dict; give a string"),
        ('{"text": "\\ud800"}\n', "x, line 1: 'text' has a NUL or a lone surrogate"),
        ('{"text": "\\u0000"}\n', "x, line 1: 'text' has a NUL or a lone surrogate"),
        ("stars,text,text\n1,a,b\n", "x has 2 columns 'text'; rename all but one"),
        ("text,stars, stars\na,1,2\n", "x has 2 columns 'stars'; rename all but one"),
        ("\n\ntext,stars\na\n", "x, line 4: 1 field, but the header has 2"),
        ('\n{"text": "a"}\n\n[1]\n', "x, line 4: not a JSON object"),
        ("text,stars\na," + "1" * 201, "x, line 2: the label 'stars' has 201 characters; at most 200"),
    ],
)
def test_what_is_no_record_is_an_error(content: str, said: str) -> None:
    with pytest.raises(CorpusError) as error:
        documents(content, 1 << 20)
    assert said in str(error.value)


@given(st.text(alphabet='a,"\n\r\t{}:text', max_size=60))
def test_any_text_is_records_or_an_error(content: str) -> None:
    for start in ("text,b\n", '{"text": "a"}\n', ""):
        try:
            found = documents(start + content)
        except CorpusError as error:
            assert "\n" not in str(error)
        else:
            assert all(text for text, _ in found)
