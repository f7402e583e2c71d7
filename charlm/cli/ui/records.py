"""Results for other programs: as one JSON list, as JSON lines or as CSV."""

import csv
import sys
from collections.abc import Iterable
from typing import Any, Literal

from charlm.cli.ui.console import print_json


def print_records(records: Iterable[dict[str, Any]], form: Literal["json", "jsonl", "csv"]) -> None:
    """Print JSON lines, or CSV with a header, as the records arrive, or one JSON list at the end.

    In CSV, an object in a record becomes a column for each of its values.
    """
    if form == "json":
        print_json(list(records))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for index, values in enumerate(records):
        if form == "jsonl":
            print_json(values)
        else:
            flat = dict[str, Any]()
            for name, value in values.items():
                flat |= (
                    {f"{name} {key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
                )
            if index == 0:
                writer.writerow(flat)
            writer.writerow(flat.values())
        sys.stdout.flush()
