"""What `charlm classify` prints: the label of each document, and which labels are mistaken for which."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from charlm.cli.reports.score import empty_among, shown_text
from charlm.cli.ui.console import stderr, stdout
from charlm.cli.ui.numbers import thousands
from charlm.cli.ui.records import print_records
from charlm.nouns import count_of, form_for

if TYPE_CHECKING:
    from charlm.config import LabelColumn
    from charlm.evaluation.spans.classification import Classification, Confusion

_LONGEST = 14  # columns of a value


def print_classes(found: "Iterable[Classification]", form: Literal["table", "jsonl", "csv"]) -> None:
    """Print for each document the likeliest value and the next, as it arrives."""
    if form != "table":
        print_records((one.to_json() for one in found), form)
        return
    console, width = stdout(), 0
    for index, one in enumerate(found):
        ranked = sorted(one.probabilities.items(), key=lambda pair: -pair[1])[:2]
        if index == 0:  # no heading before an error
            width = min(_LONGEST, max(5, *map(len, one.values)))
            heading = f"{'document':>10}  {'value':<{width}} {'p':>5}  {'next':<{width}} {'p':>5}  {'unknown':>7}  text"
            console.print(heading, style="dim", no_wrap=True, overflow="ellipsis", crop=True)
        cells = "  ".join(f"{value[:width]:<{width}} {share:.3f}" for value, share in ranked)
        span = one.choice.span
        line = f"{span.document:>10}  {cells}  {thousands(span.unknown_characters):>7}  {shown_text(span)}"
        console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def counted(found: "Iterable[Classification]", confusion: "Confusion") -> "Iterator[Classification]":
    """The same documents, counted; at the end their number is printed on stderr, with what the model couldn't read."""
    documents = empty = characters = unknown = 0
    for one in found:
        confusion.add(one)
        span = one.choice.span
        documents += 1
        empty += not span.characters
        characters += span.characters
        unknown += span.unknown_characters
        yield one
    if characters:
        stderr().print(
            f"{count_of(documents, 'document')}{empty_among(empty)}, {count_of(characters, 'character')}; "
            f"{count_of(unknown, 'unknown character')}",
            soft_wrap=True,
        )


def show_confusion(confusion: "Confusion", label: "LabelColumn") -> None:
    """Print how many documents of each value are taken for each other one, on stderr."""
    from rich.table import Table

    console = stderr()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"true {label.name}", overflow="fold")
    for value in label.values:
        table.add_column(value, justify="right", overflow="fold")
    for value, row in zip(label.values, confusion.counts.tolist(), strict=True):
        if sum(row):
            table.add_row(value, *map(thousands, row))
    console.print(table)
    total = confusion.documents
    console.print(
        f"{confusion.accuracy:.1%} of {count_of(total, 'document')} {form_for(total, 'has its', 'have their')} true "
        f"{label.name} as the likeliest",
        soft_wrap=True,
    )
