"""`charlm info`."""

from typing import Annotated, Any

import typer

from charlm.cli.options import JsonOption


def info(
    model: Annotated[
        str | None, typer.Argument(help="Model file, run folder or name of a run.", show_default="the newest run")
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Say instead what charlm computes with on this machine.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what a model file is and how it was made.

    Examples:
      [bold]charlm info runs/tinyshakespeare[/bold]
      [bold]charlm info --system[/bold]
    """
    if system:
        _show_system(json)
        return
    from dataclasses import asdict

    from rich.markup import escape
    from rich.table import Table

    import charlm
    from charlm.cells import CELLS
    from charlm.cli.console import duration, print_json, size, stdout, thousands

    loaded = charlm.load(model)
    checkpoint = loaded.checkpoint
    config, tokenizer = checkpoint.model.config, checkpoint.tokenizer
    corpus, training = checkpoint.corpus, checkpoint.training
    if json:
        print_json(
            {
                "path": str(loaded.path),
                "parameters": checkpoint.model.num_parameters(),
                "model": asdict(config),
                "tokenizer": {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size},
                "corpus": corpus,
                "training": training,
            }
        )
        return
    table = Table.grid(padding=(0, 2))

    def row(name: str, value: Any) -> None:
        table.add_row(f"[dim]{name}[/dim]", escape(str(value)))

    row("file", f"{loaded.path} ({size(loaded.path.stat().st_size)})")
    shared = ", which is the output layer too" if config.tie_weights else ""
    row(
        "model", f"{config.cell}, {config.num_layers} x {config.hidden_size}, embedding {config.embedding_size}{shared}"
    )
    if config.ngram_order:
        row("n-gram prior", f"of order {config.ngram_order}")
    row("equations", CELLS[config.cell].equations)
    row("parameters", thousands(checkpoint.model.num_parameters()))
    row("tokenizer", f"{tokenizer.kind}, {thousands(tokenizer.vocab_size)} tokens")
    if corpus:
        cut = corpus["config"]
        splits = "/".join(f"{share:g}" for share in cut["splits"])
        row("text", f"{corpus['name']}, {thousands(corpus['characters'])} characters, {size(corpus['bytes'])}")
        row("documents", f"{thousands(corpus['documents'])}, by {cut['documents']}; splits {splits}")
        row("sha256", corpus["sha256"])
    if training:
        settings = training["config"]
        row(
            "trained",
            f"{thousands(training['step'])} steps, {training['epoch']:.2f} epochs, "
            f"{thousands(training['tokens'])} tokens, {duration(training['seconds'])} on {training['device']} "
            f"with {training['threads']} threads",
        )
        row(
            "settings",
            f"{settings.get('optimizer', 'adamw')}, batch {settings['batch_size']}, window {settings['seq_len']}, "
            f"learning rate {settings['learning_rate']:g}, dropout {config.dropout:g}, clip {settings['clip']:g}, "
            f"seed {settings['seed']}",
        )
        validation = training["validation_nats_per_token"]
        row("validation", "none" if validation is None else f"{validation:.4f} nats per token (a sample of the split)")
        row("made by", f"charlm {training['charlm']}, torch {training['torch']}")
    stdout().print(table)


def _show_system(json: bool) -> None:
    """What the machine and its libraries are, and which kernels are in use."""
    import platform

    import torch
    from rich.table import Table

    from charlm import __version__
    from charlm.cli.console import print_json, stdout
    from charlm.compilation import compiler
    from charlm.kernels import PROGRAMS, native
    from charlm.model import pick_device

    library = native.library(PROGRAMS["gru"].functions, torch.float32)
    facts = {
        "charlm": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(pick_device("auto")),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "pointwise": "torch" if library is None else "compiled",
        "bfloat16": "compiled" if library is not None and library.has_bfloat16 else "none",
        "compiler": compiler(),
    }
    if json:
        print_json(facts)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/dim]", "none" if value is None else str(value))
    stdout().print(table)
