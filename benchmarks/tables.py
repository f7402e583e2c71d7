"""The tables that `benchmarks/render.py` makes: which results each one shows, and its columns.

A table stands in a page between two comments with its name. One without results is not shown.
"""

from columns import (
    Column,
    Table,
    at_the_best_rate,
    code,
    fewer_bits,
    hits,
    interval,
    ngram,
    of_both_tokenizers,
    of_characters,
    protocol,
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
            Column("minutes", "minutes", "g"),
            Column("nats/char", "nats_per_character", ".4f"),
            Column("dynamic, nats/char", "dynamic", ".4f"),
            Column("seconds", "seconds", ",.1f"),
            Column("parameters", "parameters", ",.0f"),
            Column("command", code("command")),
        ),
    ),
    "standard": Table(
        results="standard",
        across="network",
        columns=(
            Column("text, splits, time", protocol),
            Column("bits/char", "bits_per_character", ".4f"),
            Column("dynamic", "dynamic_bits", ".4f"),
            Column("perplexity per word", "perplexity_per_word", ".1f"),
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
    "base": Table(
        results="base",
        columns=(
            Column("text", "text"),
            Column("minutes", "minutes", "g"),
            Column("anew, bits/char", "anew", ".4f"),
            Column("from english", "english", ".4f"),
            Column("chosen", "chosen"),
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
    "constraints": Table(
        results="constraints",
        columns=(
            Column("text", "text"),
            Column("constraint", "constraint"),
            Column("texts", "texts", ",.0f"),
            Column("satisfied", "satisfied", ",.0f"),
            Column("bits/char", "bits_per_character", ".4f"),
            Column("characters", "characters", ".0f"),
            Column("seconds per text", "seconds", ".3f"),
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
    "processes": Table(
        results="processes",
        columns=(
            Column("text", "text"),
            Column("H", "hidden", "g"),
            Column("processes", "processes", "g"),
            Column("tokens/s", "several_processes", ",.0f"),
            Column("one process with as many threads", "one_process", ",.0f"),
            Column("ratio", "ratio", ".2f"),
        ),
    ),
    "scoring": Table(
        results="scoring",
        columns=(
            Column("text", "text"),
            Column("lines", "lines", ",.0f"),
            Column("characters of each", "length", "g"),
            Column("eval, characters/s", "eval", ",.0f"),
            Column("score", "score", ",.0f"),
            Column("one by one", "one_by_one", ",.0f"),
            Column("peak memory, MB", "memory_mb", ",.0f"),
        ),
    ),
    "serving": Table(
        results="serving",
        columns=(
            Column("text", "text"),
            Column("rounds", "rounds", "g"),
            Column("training speed, page open / closed", "ratio", ".3f"),
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
