"""The records of a table (CSV, TSV or JSON Lines) as documents: one column has the texts, others may have labels.

In a table of pairs one column has the sources, and another one the targets, which are the documents.

A source that begins with { is JSON Lines; other sources have a header line, whose most frequent of , ; TAB | separates
the columns; a field may be in quotation marks, with those inside it doubled (RFC 4180).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from charlm.config import CorpusConfig, Labels
from charlm.data.documents import Part
from charlm.data.inputs.line_ends import with_whole_line_ends
from charlm.data.labels import named_columns
from charlm.errors import CorpusError
from charlm.nouns import count_of

_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 1 << 26  # characters
_LONGEST_LABEL = 200  # characters
_TOGETHER = 1024  # texts of a part


def read_records(texts: Iterable[str], config: CorpusConfig, name: str, *, keep_empty: bool = False) -> Iterator[Part]:
    """The texts of one source's records, each a document, in parts whose documents have the same labels.

    A record whose text is empty is left out, unless it is the target of a source, and an empty label is none.

    Args:
        texts: the decoded text of the source, in chunks.
        config: the columns.
        name: the name of the source, for messages.
        keep_empty: keep records without a text, too.

    Raises `CorpusError` for a source without the columns of the texts, a line that is no record, or a pair of which one
    text is empty.
    """
    together, sources, labels = list[str](), list[str](), Labels()
    for text, source, own_labels in _documents(texts, config, name):
        if not (text or keep_empty):
            continue
        if together and (own_labels != labels or len(together) == _TOGETHER):
            yield Part(together, True, labels, tuple(sources))
            together, sources = [], []
        labels = own_labels
        together.append(text)
        if config.is_pairs:
            sources.append(source)
    if together:
        yield Part(together, True, labels, tuple(sources))


def _documents(texts: Iterable[str], config: CorpusConfig, name: str) -> Iterator[tuple[str, str, Labels]]:
    """The text of each record, its source, which is empty without pairs, and its labels."""
    column = config.text_column if config.target_column is None else config.target_column
    assert column is not None
    columns = [column] if config.source_column is None else [config.source_column, column]
    lines = _lines(texts)
    blank, first = next(((blank, line) for blank, line in enumerate(lines) if line.strip()), (0, ""))
    if not first:
        return
    read = _json_records if first.lstrip().startswith("{") else _table_records
    for number, record in read(_with_first(first, lines), columns, config.label_columns, name, blank):
        values = [_value(record, one, name, number, config.errors) for one in columns]
        if any(values) and not all(values):
            empty = columns[values.index("")]
            raise CorpusError(
                f"{name}, line {number}: {empty!r} is empty; a pair needs a source and a target, so fill it in or "
                "remove the line"
            )
        labels = ((label, _label(record, label, name, number, config.errors)) for label in config.label_columns)
        own_labels = tuple((label, value) for label, value in labels if value)
        yield values[-1], values[0] if config.is_pairs else "", own_labels


def _table_records(
    lines: Iterator[str], wanted: Sequence[str], labels: Sequence[str], name: str, blank: int
) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The records of a table, each with the number of its last line; `blank` lines precede the header."""
    header = next(lines)
    delimiter = max(_DELIMITERS, key=header.count)
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(_with_first(header, lines), delimiter=delimiter, strict=True)
    columns = list[str]()
    try:
        for row in rows:
            if not columns:
                columns = [one.strip() for one in row]
                for column in (one for one in wanted if one not in columns):
                    raise CorpusError(f"{name} has no column {column!r}; {named_columns(column, columns)}")
                for column in (one for one in (*wanted, *labels) if columns.count(one) > 1):
                    raise CorpusError(f"{name} has {columns.count(column)} columns {column!r}; rename all but one")
            elif len(row) == len(columns):
                yield blank + rows.line_num, dict(zip(columns, row, strict=True))
            elif row:
                raise CorpusError(
                    f"{name}, line {blank + rows.line_num}: {count_of(len(row), 'field')}, but the header has "
                    f"{len(columns)}; put a text that contains {delimiter!r} or a line end in quotation marks"
                )
    except csv.Error as error:
        raise CorpusError(
            f"{name}, line {blank + rows.line_num}: not a record of a table ({error}); put a text with "
            "quotation marks in quotation marks, and double those inside"
        ) from None


def _json_records(
    lines: Iterator[str], wanted: Sequence[str], labels: Sequence[str], name: str, blank: int
) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The records of JSON Lines, each with the number of its line; `blank` lines precede the first."""
    for number, line in enumerate(lines, 1 + blank):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise CorpusError(f"{name}, line {number}: not a JSON object; give one object in each line")
        for column in (one for one in wanted if one not in record):
            raise CorpusError(f"{name}, line {number}: no {column!r}; {named_columns(column, [*record])}")
        yield number, record


def _value(record: Mapping[str, Any], column: str, name: str, number: int, errors: str) -> str:
    """A field as text; empty if it is absent."""
    value = record.get(column)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(f"{name}, line {number}: {column!r} is a JSON {type(value).__name__}; give a string")
    if value.isascii() and "\0" not in value:
        return value
    clean = value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if clean != value and errors == "strict":
        raise CorpusError(
            f"{name}, line {number}: {column!r} has a NUL or a lone surrogate; remove it, or pass --errors replace"
        )
    return clean


def _label(record: Mapping[str, Any], column: str, name: str, number: int, errors: str) -> str:
    value = " ".join(_value(record, column, name, number, errors).split())
    if len(value) > _LONGEST_LABEL:
        raise CorpusError(
            f"{name}, line {number}: the label {column!r} has {count_of(len(value), 'character')}; at most "
            f"{_LONGEST_LABEL} are possible, so give another column"
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
