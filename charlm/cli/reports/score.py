"""What `charlm score` prints: the score of each span, and which model it is likeliest from."""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from charlm.cli.ui.console import stderr, stdout
from charlm.cli.ui.numbers import thousands
from charlm.cli.ui.records import print_records
from charlm.nouns import count_of, form_for, rounded

if TYPE_CHECKING:
    from charlm.evaluation.spans.choice import Calibration, Choice
    from charlm.evaluation.spans.scores import SpanKind, SpanScore

Scored = TypeVar("Scored")

_LONGEST_PLACE, _LONGEST_NAME = 12, 14  # columns
_PLACE_OF_FILE = 24
_SHOWN = 300  # characters of a text in a table


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How spans are shown."""

    form: Literal["table", "jsonl", "csv"]
    by: "SpanKind"
    models: tuple[str, ...]
    names_sources: bool
    """Whether a place begins with the name of a file."""
    numbers_documents: bool
    """Whether a place begins with the number of a document."""
    labels: tuple[str, ...]
    """The names of the labels that documents may have, which are columns of a CSV."""

    def place(self, span: "SpanScore") -> str:
        """Where a span is."""
        parts = [span.source] if self.names_sources else []
        if self.numbers_documents or (self.by == "document" and not parts):
            parts.append(str(span.document))
        if self.by != "document":
            parts.append(str(span.number))
        return ":".join(parts)


def ranked(
    scored: Iterable[Scored],
    sort: Literal["bits", "bits-per-char"] | None,
    top: int | None,
    span_of: "Callable[[Scored], SpanScore]",
) -> Iterable[Scored]:
    """The spans with the highest figure first, only `top` of them unless it is None; all in order without `sort`.

    Blank spans come last: how many blank lines there are says little about a text.
    """
    if sort is None:
        return scored

    def figure(one: Scored) -> float:
        span = span_of(one)
        if not span.text.strip():
            return -1.0
        return span.bits if sort == "bits" else span.bits_per_character or 0.0

    return sorted(scored, key=figure, reverse=True) if top is None else heapq.nlargest(top, scored, key=figure)


def show_spans(scores: "Iterable[SpanScore]", layout: Layout) -> None:
    """Print each score as it arrives."""
    if layout.form != "table":
        no_labels = dict.fromkeys(layout.labels, "") if layout.form == "csv" else {}
        records = (score.to_json() for score in scores)
        if no_labels:
            records = (record | {"labels": no_labels | record.get("labels", {})} for record in records)
        print_records(records, layout.form)
        return

    def rows() -> "Iterator[tuple[SpanScore, tuple[str, ...]]]":
        for score in scores:
            figures = (_short(score.bits_per_character), _short(score.perplexity))
            yield score, (rounded(score.bits, ",.1f"), *figures, thousands(score.unknown_characters))

    _print_table(("bits", "bits/char", "perplexity", "unknown"), rows(), layout)


def show_choices(choices: "Iterable[Choice]", layout: Layout) -> None:
    """Print for each span the likeliest model and the next, as it arrives."""
    if layout.form != "table":
        print_records((choice_record(choice, layout.models) for choice in choices), layout.form)
        return

    def rows() -> "Iterator[tuple[SpanScore, tuple[str, ...]]]":
        for choice in choices:
            best, second = sorted(range(len(layout.models)), key=lambda index: -choice.posterior[index])[:2]
            names = [layout.models[index][:_LONGEST_NAME] for index in (best, second)]
            shares = [f"{choice.posterior[index]:.3f}" for index in (best, second)]
            yield choice.span, (names[0], shares[0], names[1], shares[1], _short(choice.span.bits_per_character))

    _print_table(("likeliest", "p", "next", "p", "bits/char"), rows(), layout)


def show_calibration(calibration: "Calibration", models: list[str], by: str) -> None:
    """Print the confusion matrix and what calibration gives; on stderr if stdout has records."""
    from rich.table import Table

    console = stderr()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("true model", overflow="fold")
    for name in models:
        table.add_column(name, justify="right", overflow="fold")
    for name, row in zip(models, calibration.confusion.tolist(), strict=True):
        table.add_row(name, *map(thousands, row))
    console.print(table)
    total = int(calibration.confusion.sum())
    console.print(
        f"{calibration.accuracy:.1%} of {count_of(total, by)} {form_for(total, 'has', 'have')} the true model as the "
        f"likeliest; temperature {calibration.temperature:.3g}: {calibration.calibrated_bits:.3f} bits per {by} "
        f"for the true model, {calibration.bits:.3f} without it",
        soft_wrap=True,
    )


def choice_record(choice: "Choice", models: tuple[str, ...]) -> dict[str, Any]:
    """A choice as a JSON object."""
    span = choice.span
    return {
        **{name: getattr(span, name) for name in ("source", "document", "number", "start", "text", "characters")},
        "likeliest": models[choice.likeliest],
        "posterior": dict(zip(models, choice.posterior, strict=True)),
        "bits": {name: score.bits for name, score in zip(models, choice.scores, strict=True)},
    }


def counted(scores: "Iterable[SpanScore]", by: str) -> "Iterator[SpanScore]":
    """The same scores; at the end their totals are printed on stderr."""
    count = empty = characters = unknown = 0
    nats = ends = 0.0
    for score in scores:
        count += 1
        empty += not score.characters
        characters += score.characters
        unknown += score.unknown_characters
        nats += score.nats
        ends += score.end_nats
        yield score
    if characters:
        end = f", {ends / math.log(2):,.1f} bits for ends of documents" if ends else ""
        stderr().print(
            f"{count_of(count, by)}{empty_among(empty)}, {count_of(characters, 'character')}: "
            f"{nats / math.log(2):,.1f} bits, {nats / math.log(2) / characters:.4f} per character{end}; "
            f"{count_of(unknown, 'unknown character')}",
            soft_wrap=True,
        )


def empty_among(number: int) -> str:
    """How many of several documents are empty, if any is."""
    return f" ({number:,} empty)" if number else ""


def shown_text(span: "SpanScore") -> str:
    """The text of a span in one line, or its start."""
    if not span.characters:
        return "(empty)"
    return " ".join(span.text[:_SHOWN].split()) + " …" * (span.characters > _SHOWN)


def _print_table(
    headings: tuple[str, ...], rows: "Iterable[tuple[SpanScore, tuple[str, ...]]]", layout: Layout
) -> None:
    """Print rows as they arrive, in columns of fixed width; in a terminal, texts are cut to its width."""
    console = stdout()
    names = {"likeliest", "next"}
    widths = [_LONGEST_NAME if heading in names else max(8, len(heading)) for heading in headings]
    widths = [6 if heading == "p" else width for heading, width in zip(headings, widths, strict=True)]
    place = _PLACE_OF_FILE if layout.names_sources else _LONGEST_PLACE if layout.numbers_documents else 8

    def line(cells: Iterable[str], where: str, text: str) -> str:
        """A row of the table, or its heading."""
        aligned = (
            cell.ljust(width) if heading in names else cell.rjust(width)
            for cell, width, heading in zip(cells, widths, headings, strict=True)
        )
        start = " ".join([where.rjust(place), *aligned, ""])
        return start + text

    for index, (span, cells) in enumerate(rows):
        if index == 0:  # no heading before an error
            console.print(line(headings, layout.by, "text"), style="dim", no_wrap=True, overflow="ellipsis", crop=True)
        console.print(line(cells, layout.place(span), shown_text(span)), no_wrap=True, overflow="ellipsis", crop=True)


def _short(figure: float | None) -> str:
    return "–" if figure is None else rounded(figure, ",.2f") if figure < 1e6 else f"{figure:.1e}"
