"""A table (CSV or TSV) that is given as a text: its columns, and how to write one of them out as a text."""

import csv
import json
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
    delimiter: str

    def advice(self) -> str:
        """A sentence with the columns, and commands that train on one of them."""
        named = ", ".join(self.columns[:_MOST_NAMED]) + ", …" * (len(self.columns) > _MOST_NAMED)
        reader = "" if self.delimiter == "," else f", delimiter={json.dumps(self.delimiter)}"
        path, column = json.dumps(str(self.path)), json.dumps(self.longest)  # Python literals in double quotes
        code = (
            f'import csv; [print(row[{column}], end="\\n%%\\n") for row in csv.DictReader(open({path}, newline="", '
            f'encoding="utf-8-sig"){reader})]'
        )
        return (
            f"{self.path.name} is a table with the columns {named}, and is read as it is, with commas and quotes; to "
            f"train on one column, such as {self.longest}: python -c {shlex.quote(code)} > column.txt && charlm train "
            r"column.txt --separator '\n%%\n'"
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
    return Table(path, tuple(names), columns[lengths.index(max(lengths))], delimiter)
