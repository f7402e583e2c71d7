"""The tables of losses: how well models predict texts."""

from columns import (
    Column,
    Table,
    at_the_best_rate,
    code,
    fewer_bits,
    in_order_of,
    known_or_on,
    ngram,
    of_both_tokenizers,
    of_characters,
    protocol,
    text_and_time,
    titled,
)

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
            Column("units", "width", "g"),
            Column("minutes", "minutes", "g"),
            Column("nats/char", "nats_per_character", ".4f"),
            Column("dynamic, nats/char", "dynamic", ".4f"),
            Column("seconds", "seconds", ",.1f"),
            Column("parameters", "parameters", ",.0f"),
        ),
    ),
    "standard": Table(
        results="standard",
        select=in_order_of("text", "splits", "minutes"),
        across="network",
        columns=(
            Column("text, splits, time", protocol),
            Column("bits/char", "bits_per_character", ".4f"),
            Column("dynamic", "dynamic_bits", ".4f"),
            Column("perplexity per word (static)", "perplexity_per_word", ".1f"),
        ),
    ),
    "time_to_quality": Table(
        results="time_to_quality",
        select=lambda records: of_characters(known_or_on("AMD EPYC, Zen 5")(records)),
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
        select=lambda records: of_both_tokenizers(known_or_on("AMD EPYC, Zen 5")(records)),
        across="tokenizer",
        columns=(Column("text, time", text_and_time), Column("bits per byte", "bits_per_byte", ".4f")),
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
    "cells": Table(
        results="cells",
        columns=(
            Column("cell", code("cell")),
            Column("steps", "steps", ",.0f"),
            Column("nats/char", "nats_per_character", ".4f"),
        ),
        best_first="nats_per_character",
    ),
    "base": Table(
        results="base",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("anew, bits/char", "anew", ".4f"),
            Column("from english", "english", ".4f"),
            Column("chosen", "chosen"),
            Column("the other match", "other_match", ".4f"),
            Column("lost", "lost", ".1%"),
            Column("best n-gram", "ngram", ".4f"),
            Column("xz", "xz", ".4f"),
        ),
    ),
    "networks": Table(
        results="networks",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("prior", lambda record: "yes" if record["settings"]["prior"] else "no"),
            Column("network", "network"),
            Column("size", "size"),
            Column("H", "hidden", "g"),
            Column("parameters", "parameters", ",.0f"),
            Column("steps", "steps", ",.0f"),
            Column("nats/char", "nats_per_character", ".4f"),
            Column("characters/s written", "characters_per_second", ",.0f"),
        ),
    ),
    "words": Table(
        results="words",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("passes", "epoch", ".1f"),
            Column("perplexity per word", "perplexity", ".2f"),
            Column("dynamic", "dynamic", ".2f"),
            Column("with a cache", "cache", ".2f"),
            Column("with both", "both", ".2f"),
            Column("tokens/s", "tokens_per_second", ",.0f"),
            Column("full softmax, tokens/s", "full_softmax", ",.0f"),
            Column("sampled", "sampled_softmax", ",.0f"),
        ),
    ),
    "labels": Table(
        results="labels",
        columns=(
            Column("texts", lambda record: ", ".join(record["settings"]["texts"])),
            Column("minutes", "minutes", "g"),
            Column("a model of each text, bits/char", "apart", ".4f"),
            Column("with labels", "labelled", ".4f"),
            Column("labels left out", "labelled_without", ".4f"),
            Column("without labels", "plain", ".4f"),
            Column("paragraphs", "paragraphs", ",.0f"),
            Column("text found", "accuracy", ".1%"),
        ),
    ),
    "surnames": Table(
        results="surnames",
        columns=(
            Column("method", "method"),
            Column("minutes", "minutes", "g"),
            Column("names", "names", ",.0f"),
            Column("accuracy", "accuracy", ".1%"),
            Column("mean accuracy of the languages", "macro", ".1%"),
            Column("nats per name", "nats", ".3f"),
            Column("chosen on validation", "chosen"),
        ),
    ),
    "compression": Table(
        results="compression",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("bytes", "bytes", ",.0f"),
            Column("archive", "static", ",.0f"),
            Column("promised by eval", "eval", ",.0f"),
            Column("dynamic archive", "dynamic", ",.0f"),
            Column("xz", "xz", ",.0f"),
            Column("xz after the training text", "xz_after_training", ",.0f"),
            Column("compression, characters/s", "static_characters_per_second", ",.0f"),
            Column("decompression", "static_characters_per_second_back", ",.0f"),
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
    "cell_search_tokens_tinyshakespeare": _search("tinyshakespeare", tokens=300_000),
    "cell_search_tokens_war_and_peace": _search("war-and-peace, first 1.5 MB", tokens=300_000),
    "cell_search_seconds_tinyshakespeare": _search("tinyshakespeare", seconds=8.0),
    "cell_search_seconds_war_and_peace": _search("war-and-peace, first 1.5 MB", seconds=8.0),
}
"""Every table of losses by its name."""
