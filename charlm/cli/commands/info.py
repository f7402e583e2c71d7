"""`charlm info`: what a model file, a run or a corpus contains."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlm.cli.options.completion import complete_model
from charlm.cli.options.shared import JsonOption
from charlm.errors import ConfigError
from charlm.nouns import count_of

if TYPE_CHECKING:
    from charlm.config import ModelConfig
    from charlm.storage.provenance import TextFacts, TrainingFacts
    from charlm.text_model import TextModel


def info(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            autocompletion=complete_model,
            help="Model file, run folder or name of a run.",
            show_default="the newest run",
        ),
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Show versions, device and kernels on this machine instead.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what a model file contains and how it was trained.

    Examples:
      [bold]charlm info runs/tinyshakespeare[/bold]
      [bold]charlm info --system[/bold]
    """
    if system:
        if model is not None:
            raise ConfigError(f"--system is about this machine, not about a model; leave out {model}, or --system")
        _show_system(json)
        return
    from rich.table import Table
    from rich.text import Text

    import charlm
    from charlm.cli.ui.console import print_json, stdout

    loaded = charlm.load(model)
    if json:
        print_json(_values(loaded))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(loaded):
        table.add_row(Text(name, style="dim"), str(value))
    stdout().print(table)


def _values(loaded: "TextModel") -> dict[str, Any]:
    """The facts about a model, as JSON values."""
    from dataclasses import asdict

    from charlm.storage.provenance import facts_json

    checkpoint, ngrams = loaded.checkpoint, loaded.model.label_ngrams
    return {
        "path": str(loaded.path),
        "parameters": checkpoint.model.num_parameters(),
        "model": asdict(checkpoint.model.config),
        "label_ngrams": None if ngrams is None else {"order": ngrams.order, "weight": ngrams.weight},
        "tokenizer": {"kind": checkpoint.tokenizer.kind, "vocab_size": checkpoint.tokenizer.vocab_size},
        "corpus": facts_json(checkpoint.corpus),
        "training": facts_json(checkpoint.training),
        "checked": checkpoint.checked,
    }


def _rows(loaded: "TextModel") -> Iterator[tuple[str, str]]:
    """The facts about a model, as names and values for a person."""
    from charlm.cli.ui.numbers import size, thousands

    checkpoint, tokenizer = loaded.checkpoint, loaded.tokenizer
    yield "file", f"{loaded.path} ({size(loaded.path.stat().st_size)})"
    if checkpoint.checked != "all":
        yield (
            "checksum",
            "older format, covering " + ("only the weights" if checkpoint.checked == "weights" else "nothing"),
        )
    yield from _model_rows(loaded)
    yield "parameters", thousands(checkpoint.model.num_parameters())
    yield "tokenizer", f"{tokenizer.kind}, {count_of(tokenizer.vocab_size, 'token')}"
    if checkpoint.corpus is not None:
        yield from _text_rows(checkpoint.corpus)
    if checkpoint.training is not None:
        yield from _training_rows(checkpoint.training, checkpoint.model.config)


def _model_rows(loaded: "TextModel") -> Iterator[tuple[str, str]]:
    """What the model consists of."""
    from charlm.cells import CELLS
    from charlm.cli.ui.numbers import thousands

    config, corpus = loaded.model.config, loaded.corpus_config
    tied = ", tied to the output layer" if config.tie_weights else ""
    shape = f"{config.layer_kind}, {config.num_layers} x {config.hidden_size}, embedding {config.embedding_size}"
    yield "model", shape + tied
    if config.ngram_order:
        vectors = f", {count_of(config.context_vectors, 'context vector')}" if config.context_vectors else ""
        yield "n-gram prior", f"order {config.ngram_order}{vectors}"
    if config.match:
        adapts = ", and uses what last followed the last few tokens" if config.recent else ""
        yield "match", f"continues repeats in a document{adapts}"
    if corpus.is_pairs:
        yield "pairs", f"writes the {corpus.target_column!r} of a {corpus.source_column!r}"
    for label in config.labels:
        counts = (f"{value} ({thousands(count)})" for value, count in zip(label.values, label.documents, strict=True))
        yield f"label {label.name}", ", ".join(counts)
    if (ngrams := loaded.model.label_ngrams) is not None:
        yield "label n-grams", f"order {ngrams.order}, weight {ngrams.weight:.2f}"
    if config.network == "recurrent":
        yield "equations", CELLS[config.cell].equations
    elif config.network == "transformer":
        yield (
            "attention",
            f"{count_of(config.heads, 'head')}, to the last {count_of(config.attention_span, 'token')} in each layer",
        )
    else:
        yield "reads", f"{count_of(config.kernel_size**config.num_layers, 'token')}, {config.kernel_size} by each layer"


def _text_rows(text: "TextFacts") -> Iterator[tuple[str, str]]:
    """What the model was trained on."""
    from charlm.cli.ui.numbers import size, thousands

    splits = "/".join(f"{share:g}" for share in text.config.splits)
    yield "text", f"{text.name}, {count_of(text.characters, 'character')}, {size(text.bytes)}"
    yield "documents", f"{thousands(text.documents)}, by {text.config.documents}; splits {splits}"
    yield "sha256", text.sha256
    if (valid := text.valid) is not None:
        sizes = f"{count_of(valid.characters, 'character')}, {size(valid.bytes)}"
        yield "validation text", f"{valid.name}, {sizes}, sha256 {valid.sha256}"


def _training_rows(training: "TrainingFacts", model: "ModelConfig") -> Iterator[tuple[str, str]]:
    """How the model was trained."""
    from charlm.cli.ui.numbers import duration, with_margin

    settings = training.config
    if (first := training.began_with) is not None:
        yield "began with", f"{first.name}, weights of sha256 {first.sha256}"
    yield (
        "trained",
        f"{count_of(training.step, 'step')}, {training.epoch:.2f} epochs, "
        f"{count_of(training.tokens, 'token')}, {duration(training.seconds)} on {training.device} "
        f"with {count_of(training.threads, 'thread')}",
    )
    yield (
        "settings",
        f"{settings.optimizer}, batch size {settings.batch_size}, sequence length {settings.seq_len}, "
        f"learning rate {settings.learning_rate:g}, dropout {model.dropout:g}, clip {settings.clip:g}, "
        f"seed {settings.seed}",
    )
    validation = training.validation_nats_per_token
    margin = training.validation_margin
    part = "the whole split" if margin == 0 else "estimated from a sample of the split"
    figure = "none" if validation is None else f"{with_margin(validation, margin)} nats per token ({part})"
    yield "validation", figure
    yield "versions", f"charlm {training.charlm}, torch {training.torch}"


def _show_system(json: bool) -> None:
    """Show the versions, the device and the kernels that charlm uses on this machine."""
    import platform

    import torch
    from rich.table import Table
    from rich.text import Text

    from charlm import __version__
    from charlm.cli.ui.console import print_json, stdout
    from charlm.model.device import pick_device

    pointwise, bfloat16 = _kernels()
    facts = {
        "charlm": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(pick_device("auto")),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "pointwise": pointwise,
        "bfloat16": bfloat16,
        "compiler": _compiler(),
        "prebuilt": _prebuilt(),
    }
    if json:
        print_json(facts)
        return
    facts["bfloat16"] = {"amx": "AMX", "avx512_bf16": "AVX512-BF16"}.get(bfloat16, bfloat16)
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        table.add_row(Text(name.replace("_", " "), style="dim"), "none" if value is None else str(value))
    stdout().print(table)


def _kernels() -> tuple[str, str]:
    """What computes the point-wise parts of cells, and which instructions multiply bfloat16 numbers."""
    try:
        from charlm.kernels import has_amx, has_bfloat16, is_compiled
    except ModuleNotFoundError:
        return "torch", "none"
    return ("compiled" if is_compiled() else "torch"), (
        "amx" if has_amx() else "avx512_bf16" if has_bfloat16("lstm") else "none"
    )


def _compiler() -> str | None:
    try:
        from charlm.native.compiler import compiler
    except ModuleNotFoundError:
        return None
    return compiler()


def _prebuilt() -> str | None:
    """The kind of processor whose compiled code comes from the wheel."""
    try:
        from charlm.native.prebuilt import chosen_variant
    except ModuleNotFoundError:
        return None
    variant = chosen_variant()
    return None if variant is None else variant.name
