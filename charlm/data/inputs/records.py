"""The records of a table (CSV, TSV or JSON Lines) as documents: one column has the texts, others may have labels.

A source that begins with { is JSON Lines; other sources have a header line, whose most frequent of , ; TAB | separates
the columns; a field may be in quotation marks, with those inside it doubled (RFC 4180).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from charlm.config import CorpusConfig, Labels
from charlm.data.documents import Part
from charlm.data.inputs.line_ends import with_whole_line_ends
from charlm.data.labels.counts import named_columns
from charlm.errors import CorpusError

_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 1 << 26  # characters
_LONGEST_LABEL = 200  # characters
_TOGETHER = 1024  # texts of a part


def read_records(texts: Iterable[str], config: CorpusConfig, name: str) -> Iterator[Part]:
    """The texts of one source's records, each a document, in parts whose documents have the same labels.

    A record whose text is empty is left out, and an empty label is none.

    Args:
        texts: the decoded text of the source, in chunks.
        config: the columns.
        name: the name of the source, for messages.

    Raises `CorpusError` for a source without the column of the texts, or a line that is no record.
    """
    assert config.text_column is not None
    together, labels = list[str](), Labels()
    for text, own_labels in _labelled(texts, config, config.text_column, name):
        if together and (own_labels != labels or len(together) == _TOGETHER):
            yield Part(together, True, labels)
            together = []
        labels = own_labels
        together.append(text)
    if together:
        yield Part(together, True, labels)


def _labelled(texts: Iterable[str], config: CorpusConfig, column: str, name: str) -> Iterator[tuple[str, Labels]]:
    lines = _lines(texts)
    first = next((line for line in lines if line.strip()), "")
    records = _json_records if first.lstrip().startswith("{") else _table_records
    for number, record in records(first, lines, column, name):
        if text := _value(record, column, name, number, config.errors):
            labels = ((label, _label(record, label, name, number, config.errors)) for label in config.label_columns)
            yield text, tuple((label, value) for label, value in labels if value)


def _table_records(
    header: str, lines: Iterator[str], column: str, name: str
) -> Iterator[tuple[int, Mapping[str, object]]]:
    delimiter = max(_DELIMITERS, key=header.count)
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(_with_first(header, lines), delimiter=delimiter, strict=True)
    columns = list[str]()
    try:
        for row in rows:
            if not columns:
                columns = [one.strip() for one in row]
                if column not in columns:
                    raise CorpusError(f"{name} has no column {column!r}; {named_columns(column, columns)}")
            elif len(row) == len(columns):
                yield rows.line_num, dict(zip(columns, row, strict=True))
            elif row:
                raise CorpusError(
                    f"{name}, line {rows.line_num}: {len(row)} fields, but the header has {len(columns)}; put a text "
                    f"that contains {delimiter!r} or a line end in quotation marks"
                )
    except csv.Error as error:
        raise CorpusError(
            f"{name}, line {rows.line_num}: not a record of a table ({error}); put a text with "
            "quotation marks in quotation marks, and double those inside"
        ) from None


def _json_records(
    first: str, lines: Iterator[str], column: str, name: str
) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(_with_first(first, lines), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise CorpusError(f"{name}, record {number}: not a JSON object; give one object in each line")
        if column not in record:
            raise CorpusError(f"{name}, record {number}: no {column!r}; {named_columns(column, [*record])}")
        yield number, record


def _value(record: Mapping[str, Any], column: str, name: str, number: int, errors: str) -> str:
    """A field as text; empty if it is absent."""
    value = record.get(column)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(f"{name}, record {number}: {column!r} is a JSON {type(value).__name__}; give a string")
    if value.isascii() and "\0" not in value:
        return value
    clean = value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if clean != value and errors == "strict":
        raise CorpusError(
            f"{name}, record {number}: {column!r} has a NUL or a lone surrogate; remove it, or pass --errors replace"
        )
    return clean


def _label(record: Mapping[str, Any], column: str, name: str, number: int, errors: str) -> str:
    value = " ".join(_value(record, column, name, number, errors).split())
    if len(value) > _LONGEST_LABEL:
        raise CorpusError(
            f"{name}, line {number}: the label {column!r} has {len(value):,} characters; at most {_LONGEST_LABEL} are "
            "possible, so give another column"
        )
    return value


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines of a text with their ends; LF, CRLF and CR end a line."""
    pending = ""
    for text in with_whole_line_ends(texts):
        lines = io.StringIO(pending + text, newline="").readlines()
        pending = "" if lines[-1].endswith(("\n", "\r")) else lines.pop()
        yield from lines
    if pending:
        yield pending


def _with_first(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
