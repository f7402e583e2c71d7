"""What a table of the docs shows: its columns, and which of the results."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from results import Record

Value = Any
"""A setting or a figure: a number, a text, or None."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str
    value: str | Callable[[Record], Value]
    """The name of a setting or a figure, or a function of a record."""
    form: str = ""
    """How a number is formatted, as in `format`; a text is shown as it is."""

    def of(self, record: Record) -> Value:
        """The value in one record; None if it has none."""
        if callable(self.value):
            return self.value(record)
        return (record["settings"] | record["figures"]).get(self.value)

    def shown(self, number: float) -> str:
        """A number in the form of the column; what rounds to zero has no sign.

        This is `charlm.nouns.rounded`, which `render.py` does without: it needs no package but this folder.
        """
        text = format(number, self.form)
        return text if any(digit in text for digit in "123456789") else text.lstrip("+-")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a page; one for each machine."""

    results: str
    """The results file, without folder and ending."""
    columns: Sequence[Column]
    select: Callable[[list[Record]], list[Record]] = list
    """The records that belong to this table, of all in the file."""
    across: str | None = None
    """A setting whose values are side by side in one row, instead of in rows of their own; the first column then names
    the rows, and the others are repeated for every value."""
    best_first: str | None = None
    """A figure: the rows are sorted by its mean, lowest first. By default they are in the order of the file."""


def where(**settings: Value) -> Callable[[list[Record]], list[Record]]:
    """Select the records that have these settings."""

    def select(records: list[Record]) -> list[Record]:
        return [one for one in records if settings.items() <= one["settings"].items()]

    return select


def known_or_on(*machines: str) -> Callable[[list[Record]], list[Record]]:
    """Select what was measured on a known state of the program, and of the rest only what these machines measured."""
    return lambda records: [one for one in records if one["code"] or one["machine"]["model"] in machines]


def in_order_of(*settings: str) -> Callable[[list[Record]], list[Record]]:
    """All records, sorted by these settings."""
    return lambda records: sorted(records, key=lambda one: [one["settings"][name] for name in settings])


def beginning_with(*words: str) -> Callable[[list[Record]], list[Record]]:
    """Select the records whose setting `what` begins with one of these."""
    return lambda records: [one for one in records if one["settings"]["what"].startswith(words)]


def without_former_kernels(records: list[Record]) -> list[Record]:
    """All but the products of a former version, which the script can't measure any more."""
    return [one for one in records if one["settings"]["precision"] != "bfloat16, pairs"]


def of_characters(records: list[Record]) -> list[Record]:
    """The runs with character tokens."""
    return where(tokenizer="char")(records)


def of_both_tokenizers(records: list[Record]) -> list[Record]:
    """The runs that the same machine has made with characters and with subwords, on the same text for the same time."""

    def compared(record: Record) -> str:
        settings = record["settings"]
        return json.dumps([record["machine"], settings["text"], settings["minutes"]])

    scored = [one for one in records if "bits_per_byte" in one["figures"]]
    kinds = {kind: {compared(one) for one in where(tokenizer=kind)(scored)} for kind in ("char", "subword")}
    both = [one for one in scored if compared(one) in kinds["char"] & kinds["subword"]]
    return in_order_of("minutes", "text", "tokenizer")(both)


def at_the_best_rate(**settings: Value) -> Callable[[list[Record]], list[Record]]:
    """Select, for each cell of a search, the runs at the learning rate that does best on validation with seed 1."""

    def select(records: list[Record]) -> list[Record]:
        searched = where(**settings)(records)
        best: dict[str, tuple[float, float]] = {}
        for one in searched:
            valid, cell, rate = one["figures"]["valid"], one["settings"]["cell"], one["settings"]["rate"]
            if one["seed"] == 1 and valid is not None and valid < best.get(cell, (float("inf"), 0.0))[0]:
                best[cell] = (valid, rate)
        return [one for one in searched if best.get(one["settings"]["cell"], (0, 0))[1] == one["settings"]["rate"]]

    return select


def fewer_bits(record: Record) -> float | None:
    """By how much the loss is below that of the best n-gram model of the same split."""
    figures = record["figures"]
    if "fewer_bits" in figures:
        return float(figures["fewer_bits"])
    return 1 - figures["nats_per_character"] / figures["ngram_nats"] if "ngram_nats" in figures else None


def protocol(record: Record) -> str:
    """A text, how it was split, and the time limit."""
    settings = record["settings"]
    return f"{settings['text']}, {settings['splits']}, {settings['minutes']:g} min"


def ngram(record: Record) -> str | None:
    """The loss of the best n-gram model of the same split, and its order."""
    figures = record["figures"]
    return f"{figures['ngram_nats']:.4f} ({figures['ngram_order']})" if "ngram_nats" in figures else None


def interval(record: Record) -> str | None:
    """The 95% interval of a share: the recorded one, or Wilson's for a share of so many texts."""
    figures, texts = record["figures"], record["settings"].get("texts")
    if "low" in figures:
        return f"{figures['low']:.3f} to {figures['high']:.3f}"
    return "{:.3f} to {:.3f}".format(*wilson(figures["figure"], texts)) if texts else None


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95% score interval of a share of `count` independent trials (Wilson 1927)."""
    z = 1.959964
    middle, scale = share + z * z / (2 * count), 1 + z * z / count
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / scale, (middle + half) / scale


def titled(record: Record) -> str:
    """The name of a program, the order of an n-gram model, and the commit of nanoGPT."""
    figures = record["figures"]
    order, commit = figures.get("order"), figures.get("nanogpt_commit")
    return str(record["settings"]["program"]) + f", order {order}" * bool(order) + f", `{commit}`" * bool(commit)


def text_and_time(record: Record) -> str:
    """A text and the time limit."""
    return f"{record['settings']['text']}, {record['settings']['minutes']:g} min"


def hits(record: Record) -> float:
    """The share of the gaps whose true text was found."""
    return float(record["figures"]["hits"] / record["settings"]["gaps"])


def hits_interval(record: Record) -> str:
    """Wilson's 95% interval of that share."""
    return "{:.1%} to {:.1%}".format(*wilson(hits(record), record["settings"]["gaps"]))


def code(name: str) -> Callable[[Record], str]:
    """A setting or a figure in the type of code."""
    return lambda record: f"`{(record['settings'] | record['figures'])[name]}`"
