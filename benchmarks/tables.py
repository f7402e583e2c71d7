"""The tables that `benchmarks/render.py` makes: which results each one shows, and its columns.

A table stands in a page between two comments with its name.
"""

import json
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
    settings = ("minutes", "text", "tokenizer")
    return sorted(both, key=lambda one: [one["settings"][name] for name in settings])


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


def ngram(record: Record) -> str | None:
    """The loss of the best n-gram model of the same split, and its order."""
    figures = record["figures"]
    return f"{figures['ngram_nats']:.4f} ({figures['ngram_order']})" if "ngram_nats" in figures else None


def interval(record: Record) -> str | None:
    """A confidence interval."""
    figures = record["figures"]
    return f"{figures['low']:.3f} to {figures['high']:.3f}" if "low" in figures else None


def titled(record: Record) -> str:
    """The name of a program, and the order of an n-gram model."""
    order = record["figures"].get("order")
    return str(record["settings"]["program"]) + (f", order {order}" if order else "")


def hits(record: Record) -> float:
    """The share of the gaps whose true text was found."""
    return float(record["figures"]["hits"] / record["settings"]["gaps"])


def code(name: str) -> Callable[[Record], str]:
    """A setting or a figure in the type of code."""
    return lambda record: f"`{(record['settings'] | record['figures'])[name]}`"


_QUALITY = (
    Column("text", "text"),
    Column("minutes", "minutes", "g"),
    Column("passes", "epoch", ".1f"),
    Column("steps", "steps", ",.0f"),
)
_COST = (Column("seconds", "seconds", ",.1f"), Column("peak memory, MB", "memory_mb", ",.0f"))
_SEARCHED = (
    Column("cell", code("cell")),
    Column("H", "hidden", "g"),
    Column("parameters", "parameters", ",.0f"),
    Column("learning rate", "rate", "g"),
    Column("test, nats/char", "test", ".4f"),
)


def _search(text: str, **budget: float) -> Table:
    """A table of the cell search."""
    select = at_the_best_rate(text=text, **budget)
    return Table(results="cell_search", columns=_SEARCHED, select=select, best_first="test")


TABLES = {
    "peers": Table(
        results="peers",
        columns=(
            Column("program", titled),
            Column("minutes", "minutes", "g"),
            Column("nats/char", "nats_per_character", ".4f"),
            Column("dynamic, nats/char", "dynamic", ".4f"),
            Column("seconds", "seconds", ",.1f"),
            Column("parameters", "parameters", ",.0f"),
            Column("command", code("command")),
        ),
    ),
    "time_to_quality": Table(
        results="time_to_quality",
        select=of_characters,
        columns=(
            *_QUALITY,
            Column("nats/char", "nats_per_character", ".4f"),
            Column("dynamic, nats/char", "dynamic", ".4f"),
            Column("best n-gram (order)", ngram),
            Column("fewer bits", fewer_bits, ".1%"),
            *_COST,
        ),
    ),
    "subwords": Table(
        results="time_to_quality",
        select=of_both_tokenizers,
        columns=(
            *_QUALITY,
            Column("tokens", "tokenizer"),
            Column("bits per byte", "bits_per_byte", ".4f"),
            Column("fewer bits than the n-gram", fewer_bits, ".1%"),
            *_COST,
        ),
    ),
    "cells": Table(
        results="cells",
        columns=(
            Column("cell", code("cell")),
            Column("steps", "steps", ",.0f"),
            Column("nats/char", "nats_per_character", ".4f"),
        ),
        best_first="nats_per_character",
    ),
    "precision": Table(
        results="precision",
        columns=(
            Column("hidden", "hidden", "g"),
            Column("products", "precision"),
            Column("tokens/s", "tokens_per_second", ",.0f"),
            Column("training loss", "loss", ".4f"),
        ),
    ),
    "kernels": Table(
        results="kernels",
        columns=(
            Column("cell", code("cell")),
            Column("charlm", "charlm", ".2f"),
            Column("torch", "torch", ".2f"),
        ),
        across="size",
    ),
    "kernels_memory": Table(
        results="kernels_memory",
        columns=(
            Column("cell", code("cell")),
            Column("size", "size"),
            Column("charlm, MB", "charlm_mb", ".0f"),
            Column("torch, MB", "torch_mb", ".0f"),
            Column("ratio", "ratio", ".2f"),
        ),
    ),
    "sampling": Table(
        results="sampling",
        columns=(
            Column("cell", code("cell")),
            Column("size", "size"),
            Column("texts", "texts", "g"),
            Column("prior", lambda record: record["settings"]["order"] or "none"),
            Column("n-gram vectors", lambda record: record["settings"]["vectors"] or "none"),
            Column("charlm", "charlm", ",.0f"),
            Column("through the model", "through_the_model", ",.0f"),
            Column("plain loop", "plain_loop", ",.0f"),
            Column("bound", "bound", ",.0f"),
            Column("charlm / bound", "charlm_over_bound", ".2f"),
            Column("short / long", "short_over_long", ".2f"),
            Column("of the speed without prior", "of_the_speed_without_prior", ".2f"),
        ),
    ),
    "sampling_cells": Table(
        results="sampling_cells",
        columns=(
            Column("cell", code("cell")),
            Column("charlm", "charlm", ",.0f"),
            Column("through the model", "through_the_model", ",.0f"),
            Column("ratio", "ratio", ".1f"),
            Column("bound", "bound", ",.0f"),
            Column("charlm / bound", "charlm_over_bound", ".2f"),
        ),
    ),
    "fill": Table(
        results="fill",
        columns=(
            Column("length", "length"),
            Column("candidates", "candidates"),
            Column("ranked by", "ranking"),
            Column("gaps", "gaps", "g"),
            Column("true text among five", "hits", "g"),
            Column("share", hits, ".1%"),
            Column("seconds per gap", "seconds_per_gap", ".2f"),
        ),
    ),
    "ngram": Table(
        results="ngram",
        columns=(
            Column("text", "text"),
            Column("order", "order", "g"),
            Column("nats/char", "nats_per_character", ".4f"),
            Column("n-grams", "ngrams", ",.0f"),
            Column("seconds per million tokens", "seconds_per_million", ".2f"),
            Column("model, MB", "model_mb", ".1f"),
            Column("peak, MB", "peak_mb", ".0f"),
        ),
    ),
    "large_text": Table(
        results="large_text",
        columns=(
            Column("text", "text"),
            Column("tokens", "tokenizer"),
            Column("MB", "megabytes", ",.1f"),
            Column("seconds to the first step", "seconds", ".1f"),
            Column("peak resident memory, MB", "memory_mb", ",.0f"),
        ),
    ),
    "match": Table(
        results="match",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("with a match, bits/char", "with", ".4f"),
            Column("without", "without", ".4f"),
            Column("fewer bits", "gain", ".1%"),
            Column("best n-gram", "ngram", ".4f"),
            Column("xz", "xz", ".4f"),
        ),
    ),
    "export": Table(
        results="export",
        columns=(
            Column("text", "text"),
            Column("tokens", "tokens"),
            Column("vocabulary", "vocabulary", ",.0f"),
            Column("largest page, MB", "max_size_mb", "g"),
            Column("bytes", "bytes", ",.0f"),
            Column("n-grams", "ngrams", ",.0f"),
            Column("of", "ngrams_before", ",.0f"),
            Column("bits per character", "bits_per_character", ".4f"),
            Column("of the model", "bits_per_character_before", ".4f"),
            Column("loss", "loss", ".1%"),
            Column("characters/s", "characters_per_second", ",.0f"),
        ),
    ),
    "waiting": Table(
        results="waiting",
        columns=(Column("busy programs", "busy", "g"), Column("tokens/s", "tokens_per_second", ",.0f")),
        across="waiting",
    ),
    "seeds": Table(
        results="seeds",
        columns=(
            Column("text", "text"),
            Column("steps", "steps", "g"),
            Column("seeds", "seeds", "g"),
            Column("loss", "loss", ".4f"),
            Column("SD / loss", "deviation", ".2%"),
            Column("pairs", "pairs", "g"),
            Column("clear by the text", "clear_on_the_text", "g"),
            Column("clear", "clear", "g"),
        ),
    ),
    "sentiment": Table(
        results="sentiment",
        columns=(
            Column("what", "what"),
            Column("texts", "texts", ",.0f"),
            Column("figure", "figure", ".4g"),
            Column("95% interval", interval),
        ),
    ),
    "cell_search_tokens_tinyshakespeare": _search("tinyshakespeare", tokens=300_000),
    "cell_search_tokens_war_and_peace": _search("war-and-peace, first 1.5 MB", tokens=300_000),
    "cell_search_seconds_tinyshakespeare": _search("tinyshakespeare", seconds=8.0),
    "cell_search_seconds_war_and_peace": _search("war-and-peace, first 1.5 MB", seconds=8.0),
}
"""Every table by its name."""
