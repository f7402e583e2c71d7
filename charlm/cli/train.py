"""`charlm train`."""

import shlex
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlm.cli.options import (
    TEXT,
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    JsonOption,
    SeparatorOption,
    TextArgument,
    corpus_options,
    given,
)
from charlm.config import (
    Device,
    Direction,
    InputInit,
    Optimizer,
    Precision,
    RecurrentInit,
    Skip,
    SubwordAlgorithm,
    TokenizerKind,
)

if TYPE_CHECKING:
    from rich.console import Console

    from charlm.analysis.advice import Advice
    from charlm.api import Trained

_TOKENIZER, _MODEL, _TRAINING, _RUN = "Tokenizer", "Model", "Training", "Run"


def _option(help: str, default: str | bool, panel: str) -> Any:
    return typer.Option(help=help, show_default=default, rich_help_panel=panel)


def train(
    text: TextArgument = None,
    # --- text
    documents: DocumentsOption = None,
    separator: SeparatorOption = None,
    splits: Annotated[
        str | None,
        _option("Per cent of the text to train on, validate on and test on, in this order.", "90/5/5", TEXT),
    ] = None,
    direction: Annotated[
        Direction | None,
        _option("backward reads the text from right to left, for `charlm fill`.", "forward", TEXT),
    ] = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    # --- tokenizer
    tokenizer: Annotated[
        TokenizerKind | None,
        _option(
            "What a token is. char: best for small texts and any script. byte: nothing is ever unknown. subword: more "
            "text a second and longer memory, needs a megabyte or more.",
            "char",
            _TOKENIZER,
        ),
    ] = None,
    vocab_size: Annotated[
        int | None,
        _option("Subwords: how many. More make the text shorter and the output layer slower.", "2000", _TOKENIZER),
    ] = None,
    subword_algorithm: Annotated[
        SubwordAlgorithm | None, _option("Subwords: how they are found.", "unigram", _TOKENIZER)
    ] = None,
    # --- model
    cell: Annotated[
        str | None,
        _option(
            "Recurrent cell, one of `charlm cells`: lstm remembers best, gru has fewer weights, rnn forgets soon.",
            "lstm",
            _MODEL,
        ),
    ] = None,
    layers: Annotated[
        int | None, _option("Recurrent layers; a second one helps long runs and takes twice the time.", "1", _MODEL)
    ] = None,
    hidden: Annotated[
        int | None,
        _option(
            "Width of the hidden state. Twice as wide learns more of a large text, at 3 to 4 times the time.",
            "chosen from the text and the time",
            _MODEL,
        ),
    ] = None,
    embedding: Annotated[
        int | None,
        _option("Width of a token's vector.", "32; as wide as --hidden for a vocabulary above 512", _MODEL),
    ] = None,
    dropout: Annotated[
        float | None,
        _option(
            "Share of each layer's outputs dropped in training: 0.2 to 0.5 for small texts that are read many times.",
            "chosen from the text and the time",
            _MODEL,
        ),
    ] = None,
    weight_dropout: Annotated[
        float | None, _option("Share of the weights from state to state dropped in training.", "chosen", _MODEL)
    ] = None,
    tie_weights: Annotated[
        bool | None,
        typer.Option(
            help="Share embedding and output weights (needs equal widths).",
            show_default="for a vocabulary above 512, unless --embedding is given",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    ngram_order: Annotated[
        int | None,
        _option(
            "Let the network build on an n-gram model of this order, by a learnt gate; 0 trains it alone.",
            "12; 5 for a vocabulary above 512",
            _MODEL,
        ),
    ] = None,
    context_vectors: Annotated[
        int | None,
        _option("N-grams of 2 to 5 tokens that have a vector to read.", "chosen from the text; 16384 at most", _MODEL),
    ] = None,
    skip: Annotated[
        Skip | None,
        _option("residual adds to each layer's output what went into it: deep stacks learn sooner.", "none", _MODEL),
    ] = None,
    skip_steps: Annotated[int | None, _option("How far --cell rnn-skip's second path leads back.", "4", _MODEL)] = None,
    recurrent_init: Annotated[
        RecurrentInit | None, _option("Initial recurrent weights.", "orthogonal; leaky-identity for irnn", _MODEL)
    ] = None,
    input_init: Annotated[InputInit | None, _option("Initial input weights.", "xavier", _MODEL)] = None,
    forget_bias: Annotated[
        float | None, _option("Initial bias of an LSTM's forget gate; high remembers from the start.", "1", _MODEL)
    ] = None,
    update_bias: Annotated[
        float | None,
        _option("The same for the gate that keeps the state in gru, mut1 to 3 and mingru.", "0", _MODEL),
    ] = None,
    # --- training
    minutes: Annotated[
        float | None,
        _option(
            "Length of the run by the clock, all included: start, saving, and the sessions before --resume.",
            "5, or 20 epochs if sooner",
            _TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        float | None, _option("Length of the run in passes over the training split.", False, _TRAINING)
    ] = None,
    steps: Annotated[int | None, _option("Length of the run in optimiser steps.", False, _TRAINING)] = None,
    batch_size: Annotated[
        int | None,
        _option(
            "Stretches of text learnt from side by side. Fewer learn sooner in small texts; more are faster.",
            "chosen from the text",
            _TRAINING,
        ),
    ] = None,
    seq_len: Annotated[
        int | None,
        _option(
            "Tokens of truncated backpropagation through time: longer learns longer memories, in fewer steps.",
            "chosen from the text and the time",
            _TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        _option(
            "Peak of the learning rate: warm-up, then half a cosine. Lower it if the loss explodes.",
            "chosen from the text and the time",
            _TRAINING,
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer | None, _option("muon learns more from a token, adamw takes quicker steps.", "muon", _TRAINING)
    ] = None,
    weight_decay: Annotated[
        float | None, _option("Pulls the weights to 0; 0.1 for small texts.", "chosen", _TRAINING)
    ] = None,
    averaging: Annotated[
        float | None,
        _option("Keep the mean of the weights over this share of the steps; 0 is off.", "chosen", _TRAINING),
    ] = None,
    clip: Annotated[
        float | None,
        _option("Largest gradient norm; larger gradients are scaled down to it. 0 is off.", "1", _TRAINING),
    ] = None,
    seed: Annotated[int | None, _option("Of initial weights, order of the text and dropout.", "1", _TRAINING)] = None,
    validations: Annotated[
        int | None, _option("How often in a run to validate, write a sample and save.", "20", _TRAINING)
    ] = None,
    threads: Annotated[int | None, _option("CPU threads.", "torch's choice", _TRAINING)] = None,
    device: Annotated[Device | None, _option("Where to compute.", "auto", _TRAINING)] = None,
    precision: Annotated[
        Precision | None,
        _option("Of products in training: bfloat16 is faster where the processor has it.", "auto", _TRAINING),
    ] = None,
    # --- run
    run: Annotated[
        str | None, _option("Run folder, or its name in runs/.", "a new one in runs/, after the text", _RUN)
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with --run, or with the newest run, where it was saved last.", rich_help_panel=_RUN
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the run that --run names, its model when there is a new one.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    init_from: Annotated[
        str | None,
        _option("Model to begin with, for fine-tuning; its tokenizer and shape are taken over.", False, _RUN),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a model on a text.

    The files go to a run folder: the best model (model.safetensors), metrics.jsonl, samples.txt, and what --resume
    needs. Ctrl-C saves and ends.

    Examples:
      [bold]charlm train corpus.txt[/bold]
      [bold]charlm train tinyshakespeare --minutes 2 --splits 90/10/0[/bold]
      [bold]charlm train names.txt --documents line --epochs 10[/bold]
      [bold]charlm train novel.txt --tokenizer subword --hidden 512 --minutes 30[/bold]
      [bold]charlm train --resume[/bold]
    """
    started = time.monotonic()
    from charlm import api
    from charlm.analysis.advice import advice_on
    from charlm.cli.console import Bars, print_json, stderr
    from charlm.cli.screen import Interrupt, Screen
    from charlm.config import TokenizerConfig
    from charlm.errors import ConfigError
    from charlm.runs import newest_run

    corpus = corpus_options(documents, separator, splits, encoding, errors, direction)
    tokens = given(kind=tokenizer, vocab_size=vocab_size, algorithm=subword_algorithm)
    model = given(
        cell=cell,
        num_layers=layers,
        hidden_size=hidden,
        embedding_size=embedding,
        dropout=dropout,
        weight_dropout=weight_dropout,
        tie_weights=tie_weights,
        recurrent_init=recurrent_init,
        input_init=input_init,
        forget_bias=forget_bias,
        update_bias=update_bias,
        ngram_order=ngram_order,
        context_vectors=context_vectors,
        skip=skip,
        skip_steps=skip_steps,
    )
    lengths = given(minutes=minutes, epochs=epochs, steps=steps)
    training = given(
        batch_size=batch_size,
        seq_len=seq_len,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        averaging=averaging,
        clip=clip,
        seed=seed,
        validations=validations,
        threads=threads,
        device=device,
        precision=precision,
    )
    console = stderr()
    with Bars(console) as bars, Interrupt() as interrupt, Screen(console, bars, interrupt) as screen:
        hooks = api.Hooks(
            progress=bars,
            planned=screen.planned,
            prepared=screen.prepared,
            observer=screen,
            should_stop=interrupt,
            started=started,
        )
        if resume:
            if corpus or tokens or model or training or init_from or overwrite:
                raise ConfigError(
                    "--resume goes on with the run's own settings; only --run, TEXT (the same text) and a new "
                    "--minutes, --epochs or --steps go with it"
                )
            folder = run if run is not None else newest_run("resume.safetensors")
            result = api.resume(folder, text=text or None, lengths=lengths, hooks=hooks)
        else:
            if tokens and tokens.get("kind") != "subword" and len(tokens) > ("kind" in tokens):
                raise ConfigError("--vocab-size and --subword-algorithm go with --tokenizer subword")
            result = api.train(
                text or [],
                run=run,
                corpus=corpus,
                tokenizer=TokenizerConfig(**tokens) if tokens else None,
                model=model,
                training=lengths | training,
                init_from=init_from,
                overwrite=overwrite,
                hooks=hooks,
            )
    advice = advice_on(result.run) if result.outcome.finished else None
    _tell(console, result, advice)
    if json:
        from dataclasses import asdict

        values = {"run": str(result.run), "model": str(result.run / "model.safetensors")} | asdict(result.outcome)
        print_json(values | {"advice": None if advice is None else asdict(advice)})
    if not result.outcome.finished:
        raise typer.Exit(130)


def _tell(console: "Console", result: "Trained", advice: "Advice | None") -> None:
    """The last words of a run."""
    from charlm.cli.console import duration, thousands

    outcome = result.outcome

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    run = shlex.quote(str(result.run))
    if not outcome.finished:
        say(f"saved at step {thousands(outcome.step)}; go on with: charlm train --resume --run {run}")
        return
    say(f"{thousands(outcome.step)} steps, {outcome.epoch:.2f} epochs, {duration(outcome.seconds)}")
    if outcome.best is not None:
        say(f"best validation {outcome.best:.4f} nats per token, at step {thousands(outcome.best_step)}")
    if advice is not None:
        options = f"; better: charlm train ... {advice.options}" if advice.options else ""
        say(f"{advice.sentence}{options}")
    say(f"model in {result.run / 'model.safetensors'}; next: charlm sample {run}, charlm eval {run}")
