"""A table (CSV or TSV) that is given as a text: its columns, and how to train on one of them."""

import csv
import shlex
import statistics
from dataclasses import dataclass
from pathlib import Path

_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
_SNIFFED = 65_536  # characters
_MOST_NAMED = 8  # columns
_LONGEST_NAME = 40  # characters; a header has short names


@dataclass(frozen=True, slots=True)
class Table:
    """A file with a header line and records."""

    path: Path
    columns: tuple[str, ...]
    longest: str
    """The column with the longest entries, which is probably the text."""
    few: str | None
    """The column with the fewest different entries, each of several records, which is perhaps a label."""

    def advice(self) -> str:
        """A sentence with the columns, and a command that trains on one of them."""
        named = ", ".join(self.columns[:_MOST_NAMED]) + ", …" * (len(self.columns) > _MOST_NAMED)
        command = f"charlm train {shlex.quote(str(self.path))} --text-column {shlex.quote(self.longest)}"
        label = "" if self.few is None else f"; add --label-column {shlex.quote(self.few)} to condition the text on it"
        return (
            f"{self.path.name} is a table with the columns {named}, and is read as it is, with commas and quotes; to "
            f"train on one column, such as {self.longest}: {command}{label}"
        )


def read_table(path: Path, encoding: str) -> Table | None:
    """The table in a file named .csv or .tsv; None for another file, or one that doesn't start with column names."""
    delimiters = _DELIMITERS.get(path.suffix.lower())
    if delimiters is None:
        return None
    try:
        with path.open(encoding="utf-8-sig" if encoding.lower() == "utf-8" else encoding, newline="") as file:
            start = file.read(_SNIFFED)
        header = start.splitlines()[0]
        delimiter = max(delimiters, key=header.count)
        columns, *records = csv.reader(start.splitlines(keepends=True), delimiter=delimiter)
    except (OSError, ValueError, IndexError, csv.Error):
        return None
    names = [name.strip() for name in columns]
    if len(names) < 2 or not all(0 < len(name) <= _LONGEST_NAME and not name[0].isdigit() for name in names):
        return None
    whole = [record for record in records[:-1] or records if len(record) == len(columns)]
    if len(whole) < 2:
        return None
    lengths = [statistics.fmean(len(record[index]) for record in whole) for index in range(len(columns))]
    longest = lengths.index(max(lengths))
    entries = {name: len({record[index] for record in whole}) for index, name in enumerate(names) if index != longest}
    few = [name for name, number in entries.items() if 2 <= number <= len(whole) / 2]
    return Table(path, tuple(names), names[longest], min(few, key=entries.__getitem__, default=None))
