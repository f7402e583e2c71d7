"""Write the tables of the docs from the results of the benchmarks.

    python benchmarks/render.py [--check] [--stale]

Every table of `benchmarks/tables.py` stands in one of `PAGES`, between two comments with its name and a hash of its
results file; a table without results is not shown. There is one for each machine, the newest first. What was measured
several times, with other seeds or with the same, is one row: the mean, and the range in parentheses. Of what was
measured in several states of the program with the same threads and instruction sets, only the newest state is shown,
whatever the machine; if the rows of a table are of different states, each names its own. Lines without a hash of the
code, which were taken from older notes, name the commit that recorded them instead; once a table has a line of a known
state, it shows no others.

--check writes nothing, and fails if a page or the plot isn't what the results say. --stale lists the tables whose
figures are of an older state of the program than the files that are here.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from columns import Column, Table
from results import FOLDER, ROOT, SOURCES, Record, code, read
from tables import TABLES

PAGES = ("docs/benchmarks.md", *(f"docs/notes/{name}.md" for name in ("cell_search", "experiments", "networks")))
BLOCK = re.compile(r"<!-- results: (\w+).*? -->\n(.*?)<!-- end of results -->\n", re.DOTALL)
PLOTS = ("docs/peers-light.svg", "docs/peers-dark.svg")
PICTURE = """<picture>
<source media="(prefers-color-scheme: dark)" srcset="peers-dark.svg">
<img src="peers-light.svg" alt="Loss over the seconds since the program was started: {programs}">
</picture>

One run each, with the seed in the legend. The curve of charlm is its own validation during the run, on a sample of the
held-out part, and that of nanoGPT's CPU configuration its own estimate from random windows. Every last point is the
whole held-out part, as in the table, so these curves can jump there. The curves of the other programs read the whole
part, with less context than at their last point."""

Group = list[Record]
"""The records of one row, all of the same state of the program."""


def block(name: str, folder: Path = FOLDER) -> str:
    """A table with the comments around it; nothing but these if nothing was measured."""
    table = TABLES[name]
    path = folder / f"{table.results}.jsonl"
    records = of_known_states(table.select(read(path)))
    if not (machines := by_machine(records)):
        return f"<!-- results: {name}, nothing measured -->\n<!-- end of results -->\n"
    newest = state(newest_of(records))
    body = "\n\n".join("\n".join([caption(groups, newest), "", *lines(table, groups)]) for groups in machines)
    if name == "peers" and (drawn := curves(folder)):
        body += f"\n\n{PICTURE.format(programs='; '.join(one['settings']['program'] for one in drawn))}"
    return f"<!-- results: {name}, data {digest(path)} -->\n\n{body}\n\n<!-- end of results -->\n"


def of_known_states(records: list[Record]) -> list[Record]:
    """The records of known states of the program; all of them if there is none."""
    return [one for one in records if one["code"]] or records


def digest(path: Path) -> str:
    """A short hash of a results file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def by_machine(records: list[Record]) -> list[list[Group]]:
    """The rows of each machine, in the order of the file; the machine that was used last comes first."""
    measured: dict[str, list[Record]] = {}
    for one in records:
        kind = [one["settings"] | whole(one["settings"]), one["machine"]["threads"], one["machine"]["instructions"]]
        measured.setdefault(json.dumps(kind, sort_keys=True), []).append(one)
    machines: dict[str, list[Group]] = {}
    for everywhere in measured.values():
        rows: dict[str, Group] = {}
        for one in of_newest_state(everywhere):
            versions = {name: version for name, version in one["versions"].items() if name != "charlm"}
            rows.setdefault(json.dumps([one["machine"], versions], sort_keys=True), []).append(one)
        for machine, row in rows.items():
            machines.setdefault(machine, []).append(row)
    return sorted(machines.values(), key=lambda groups: max(newest_of(row)["date"] for row in groups), reverse=True)


def whole(settings: Mapping[str, Any]) -> dict[str, int]:
    """The settings that are whole numbers: a minute is a default 1 in one line and the 1.0 of an option in another."""
    return {name: int(value) for name, value in settings.items() if isinstance(value, float) and value.is_integer()}


def of_newest_state(records: list[Record]) -> Group:
    """The records that were measured in the same state of the program as the newest of them."""
    newest = max(records, key=lambda one: str(one["date"]))
    return [one for one in records if state(one) == state(newest)]


def state(record: Record) -> str:
    """What tells one state of the program from another, as far as the figures depend on it."""
    return str(record["code"] or record["commit"])


def state_name(record: Record) -> str:
    """How the docs name a state, or the commit that first recorded a figure whose state is unknown."""
    name = f"`{record['commit']}`, {record['date'][:10]}" if record["commit"] else str(record["date"][:10])
    return name if record["code"] else f"recorded in {name}"


def caption(groups: list[Group], newest: str) -> str:
    """What all rows of a table have in common; it says so if they are older than others of that table."""
    record = groups[0][0]
    machine = record["machine"]
    cores = f"{machine['cores']} cores" if machine["cores"] != 1 else "1 core"
    threads = f"{machine['threads']} threads" if machine["threads"] != 1 else "1 thread"
    parts = [machine["model"], machine["instructions"], cores, threads]
    parts += [f"{name} {version}" for name, version in record["versions"].items() if name != "charlm"]
    text = f"**{', '.join(part for part in parts if part)}.**"
    if machine.get("conditions"):
        text += f" {machine['conditions']}"
    if not states_differ(groups):
        named = state_name(newest_of(groups[0]))
        if not record["code"]:
            text += f" {named.capitalize()}, measured on an earlier state that wasn't recorded."
        else:
            text += f" Commit {named}." if state(record) == newest else f" An older state of charlm: commit {named}."
    if len(used := seeds(groups)) == 1:
        text += f" Seed {used.pop()}."
    if len(commands := {one["command"] for group in groups for one in group}) == 1:
        text += f" Command: `{commands.pop()}`."
    return text


def newest_of(group: Group) -> Record:
    """The last measurement of a row."""
    return max(group, key=lambda one: str(one["date"]))


def states_differ(groups: list[Group]) -> bool:
    """Whether the rows of a table are of several states of the program."""
    return len({state(group[0]) for group in groups}) > 1


def seeds(groups: list[Group]) -> set[int]:
    """The seeds of a table."""
    return {seed for group in groups for seed in seeds_of(group)}


def seeds_of(group: Group) -> list[int]:
    """The seeds of a row, in order; a seed with which a row was measured twice stands twice."""
    return sorted(one["seed"] for one in group if one["seed"] is not None)


def lines(table: Table, groups: list[Group]) -> Iterator[str]:
    """The lines of a table."""
    if table.best_first:
        name = table.best_first
        groups = sorted(groups, key=lambda group: mean_of([one["figures"].get(name) for one in group]))
    rows, headings = (across if table.across else down)(table, groups)
    for row in (headings, ["---"] * len(headings), *rows):
        yield f"|{'|'.join(f' {text} ' if text else ' ' for text in row)}|"


def down(table: Table, groups: list[Group]) -> tuple[list[list[str]], list[str]]:
    """The cells and headings of a table with a row for every setting; columns without any value are left out."""
    columns = [
        column for column in table.columns if any(column.of(one) is not None for group in groups for one in group)
    ]
    headings = [column.heading for column in columns]
    rows = [[cell(column, group) for column in columns] for group in groups]
    for heading, differ, text in common_columns(groups):
        if differ:
            headings.append(heading)
            rows = [[*row, text(group)] for row, group in zip(rows, groups, strict=True)]
    return rows, headings


def across(table: Table, groups: list[Group]) -> tuple[list[list[str]], list[str]]:
    """The cells and headings of a table in which the values of one setting are side by side."""
    name, (first, *others) = str(table.across), table.columns
    values = list(dict.fromkeys(group[0]["settings"][name] for group in groups))
    by_row: dict[str, dict[Any, Group]] = {}
    for group in groups:
        by_row.setdefault(cell(first, group), {})[group[0]["settings"][name]] = group
    headings = [first.heading, *(f"{column.heading}, {value}" for value in values for column in others)]
    rows = [
        [row, *(cell(column, found.get(value, [])) for value in values for column in others)]
        for row, found in by_row.items()
    ]
    for heading, differ, text in common_columns(groups)[:-1]:
        if differ:
            headings.append(heading)
            for row, found in zip(rows, by_row.values(), strict=True):
                row.append("; ".join(dict.fromkeys(text(group) for group in found.values())))
    return rows, headings


def common_columns(groups: list[Group]) -> list[tuple[str, bool, Callable[[Group], str]]]:
    """The columns that any table may have: heading, whether the rows differ in it, and the text of a row."""
    several = len(seeds(groups)) > 1
    return [
        ("seeds", several, lambda group: ", ".join(map(str, seeds_of(group)))),
        ("commit", states_differ(groups), lambda group: state_name(newest_of(group))),
        ("runs", not several and any(len(group) > 1 for group in groups), lambda group: str(len(group))),
    ]


def cell(column: Column, group: Group) -> str:
    """The mean of a value over the records of a row, with its range if it has one."""
    values = [value for one in group if (value := column.of(one)) is not None]
    if not values:
        return ""
    if any(isinstance(value, str) for value in values):
        return "; ".join(dict.fromkeys(map(str, values)))
    shown = [column.shown(value) for value in (mean(values), min(values), max(values))]
    diverged = f", {len(group) - len(values)} of {len(group)} diverged" if len(values) < len(group) else ""
    return (shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1]} to {shown[2]})") + diverged


def mean_of(values: list[float | None]) -> float:
    """The mean of the numbers among them; infinite if there is none."""
    numbers = [value for value in values if value is not None]
    return mean(numbers) if numbers else float("inf")


def rendered(page: str, folder: Path = FOLDER) -> str:
    """A page with its tables as the results say."""
    for name, _ in BLOCK.findall(page):
        if name not in TABLES:
            raise ValueError(f"there is no table {name}; benchmarks/tables.py has {', '.join(TABLES)}")
    return BLOCK.sub(lambda match: block(match[1], folder), page)


def curves(folder: Path = FOLDER) -> list[Record]:
    """The curve of each program that has one: the newest of its longest runs on the machine that was used last."""
    records = [one for one in read(folder / "peers.jsonl") if one["figures"].get("curve")]
    longest: dict[str, Record] = {}
    for one in (newest_of(group) for group in next(iter(by_machine(records)), [])):
        program, minutes = one["settings"]["program"], one["settings"].get("minutes", 0)
        if program not in longest or minutes > longest[program]["settings"].get("minutes", 0):
            longest[program] = one
    return list(longest.values())


def plot_is_right(path: Path, folder: Path = FOLDER) -> bool:
    """Whether a plot was drawn from the curves that are there; without curves there must be none."""
    if not (found := curves(folder)):
        return not path.exists()
    return path.exists() and curve_hash(found) in path.read_text(encoding="utf-8")


def curve_hash(records: list[Record]) -> str:
    """What the plot carries, so that `--check` can tell whether it is right without drawing it."""
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:12]


def differences(root: Path = ROOT) -> Iterator[str]:
    """What isn't as the results say, a line each."""
    folder = root / "docs" / "results"
    shown = []
    for name in PAGES:
        page = (root / name).read_text(encoding="utf-8")
        for now, wanted in zip(BLOCK.finditer(page), BLOCK.finditer(rendered(page, folder)), strict=True):
            shown.append(now[1])
            if now[0] != wanted[0]:
                yield f"{name}: the table {now[1]} isn't what docs/results/{TABLES[now[1]].results}.jsonl says"
    yield from (f"the table {name} is in no page" for name in TABLES if name not in shown)
    for name in PLOTS:
        if not plot_is_right(root / name, folder):
            yield f"{name} doesn't show the curves of docs/results/peers.jsonl"


def stale() -> Iterator[str]:
    """The tables with figures of an older state of the program, a line each."""
    for name, table in TABLES.items():
        machines = by_machine(of_known_states(table.select(read(FOLDER / f"{table.results}.jsonl"))))
        states = [group[0]["code"] for groups in machines for group in groups]
        if old := sum(one != code(table.results) for one in states):
            sources = ", ".join(SOURCES[table.results])
            yield f"{name}: {old} of {len(states)} rows are of an older state of charlm/ ({sources})"


def main() -> None:
    """Write, check or list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something isn't right")
    parser.add_argument("--stale", action="store_true", help="list the tables with figures of an older state")
    arguments = parser.parse_args()
    try:
        if arguments.stale:
            print("\n".join(stale()))
        elif arguments.check:
            if found := list(differences()):
                sys.exit("\n".join([*found, "to write them: python benchmarks/render.py"]))
        else:
            for name in PAGES:
                path = ROOT / name
                path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
            if not all(plot_is_right(ROOT / name) for name in PLOTS):
                import plot

                plot.draw(curves(), curve_hash(curves()), *(ROOT / name for name in PLOTS))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
