"""The tables of speed and memory."""

from columns import Column, Table, code, known_or_on, without_former_kernels

TABLES = {
    "precision": Table(
        results="precision",
        select=without_former_kernels,
        columns=(
            Column("hidden", "hidden", "g"),
            Column("products", "precision"),
            Column("tokens/s", "tokens_per_second", ",.0f"),
            Column("training loss", "loss", ".4f"),
        ),
    ),
    "kernels": Table(
        results="kernels",
        select=known_or_on("AMD EPYC"),
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
            Column("charlm, MiB", "charlm_mb", ".0f"),
            Column("torch, MiB", "torch_mb", ".0f"),
            Column("ratio", "ratio", ".2f"),
        ),
    ),
    "large_text": Table(
        results="large_text",
        select=known_or_on(),
        columns=(
            Column("text", "text"),
            Column("tokens", "tokenizer"),
            Column("size, MB", "megabytes", ",.1f"),
            Column("seconds to the first step", "seconds", ".1f"),
            Column("peak memory, MiB", "memory_mb", ",.0f"),
        ),
    ),
    "sampling": Table(
        results="sampling",
        select=known_or_on("Intel Xeon"),
        columns=(
            Column("cell", code("cell")),
            Column("size", "size"),
            Column("texts", "texts", "g"),
            Column("prior", lambda record: record["settings"]["order"] or "none"),
            Column("n-gram vectors", lambda record: record["settings"]["vectors"] or "none"),
            Column("match", lambda record: "yes" if record["settings"].get("match") else "no"),
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
            Column("peak memory, MiB", "memory_mb", ",.0f"),
        ),
    ),
    "serving": Table(
        results="serving",
        columns=(
            Column("text", "text"),
            Column("rounds", "rounds", "g"),
            Column("training speed, page open / closed", "ratio", ".3f"),
            Column("more processor time, page open", "share", ".2%"),
        ),
    ),
    "minute": Table(
        results="minute",
        columns=(
            Column("text", "text"),
            Column("steps", "steps", ",.0f"),
            Column("start, s", "start", ".1f"),
            Column("steps, s", "steps_seconds", ".1f"),
            Column("between, s", "between", ".1f"),
            Column("end, s", "end", ".1f"),
            Column("products, s", "products", ".1f"),
            Column("share of the run", "share", ".2f"),
        ),
    ),
    "write_page": Table(
        results="write_page",
        columns=(
            Column("text", "text"),
            Column("length", "length", ",.0f"),
            Column("characters", "characters"),
            Column("first character, ms", "first", ".0f"),
            Column("characters/s", "speed", ",.0f"),
            Column("longest frame, ms", "longest", ".0f"),
        ),
    ),
    "waiting": Table(
        results="waiting",
        columns=(Column("busy programs", "busy", "g"), Column("tokens/s", "tokens_per_second", ",.0f")),
        across="waiting",
    ),
}
"""Every table of speeds by its name."""
