"""`charlm train`: train a model, or continue a run."""

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from charlm.cli.options import train as options
from charlm.cli.options.processes import check_processes, option_of_launcher, run_in_processes, was_begun_before
from charlm.cli.options.repeated import repeated
from charlm.cli.options.seeds import planned_runs, report_seeds
from charlm.cli.options.shared import (
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    JsonOption,
    SeparatorOption,
    SourceColumnOption,
    TargetColumnOption,
    TextArgument,
    TextColumnOption,
    corpus_options,
    memory_size,
    without_none,
)
from charlm.files import MODEL_FILE
from charlm.processes.environment import rank_in_environment

if TYPE_CHECKING:
    from charlm.analysis.runs.forgetting import Forgotten
    from charlm.api import Callbacks, Trained
    from charlm.processes.processes import Processes
    from charlm.progress import Progress


def train(
    context: typer.Context,
    text: TextArgument = None,
    # --- text
    documents: DocumentsOption = None,
    separator: SeparatorOption = None,
    splits: options.SplitsOption = None,
    valid: options.ValidOption = None,
    test: options.TestOption = None,
    direction: options.DirectionOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    text_column: TextColumnOption = None,
    # --- pairs
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    # --- labels
    label_column: options.LabelColumnOption = None,
    label_files: options.LabelFilesOption = None,
    label_folders: options.LabelFoldersOption = None,
    # --- tokenizer
    tokenizer: options.TokenizerOption = None,
    vocab_size: options.VocabSizeOption = None,
    subword_algorithm: options.SubwordAlgorithmOption = None,
    min_count: options.MinCountOption = None,
    word_split: options.WordSplitOption = None,
    # --- model
    network: options.NetworkOption = None,
    cell: options.CellOption = None,
    layers: options.LayersOption = None,
    hidden: options.HiddenOption = None,
    heads: options.HeadsOption = None,
    attention_span: options.AttentionSpanOption = None,
    kernel_size: options.KernelSizeOption = None,
    embedding: options.EmbeddingOption = None,
    dropout: options.DropoutOption = None,
    weight_dropout: options.WeightDropoutOption = None,
    tie_weights: options.TieWeightsOption = None,
    ngram_order: options.NgramOrderOption = None,
    context_vectors: options.ContextVectorsOption = None,
    match: options.MatchOption = None,
    recent: options.RecentOption = None,
    skip: options.SkipOption = None,
    skip_steps: options.SkipStepsOption = None,
    recurrent_init: options.RecurrentInitOption = None,
    input_init: options.InputInitOption = None,
    forget_bias: options.ForgetBiasOption = None,
    update_bias: options.UpdateBiasOption = None,
    # --- training
    minutes: options.MinutesOption = None,
    epochs: options.EpochsOption = None,
    steps: options.StepsOption = None,
    batch_size: options.BatchSizeOption = None,
    seq_len: options.SeqLenOption = None,
    learning_rate: options.LearningRateOption = None,
    optimizer: options.OptimizerOption = None,
    weight_decay: options.WeightDecayOption = None,
    averaging: options.AveragingOption = None,
    softmax_samples: options.SoftmaxSamplesOption = None,
    clip: options.ClipOption = None,
    seed: options.SeedOption = None,
    seeds: options.SeedsOption = None,
    validations: options.ValidationsOption = None,
    threads: options.ThreadsOption = None,
    processes: options.ProcessesOption = None,
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = None,
    prior_memory: options.PriorMemoryOption = None,
    # --- run
    run: options.RunOption = None,
    resume: options.ResumeOption = False,
    overwrite: options.OverwriteOption = False,
    init_from: options.InitFromOption = None,
    json: JsonOption = False,
) -> None:
    """Train a model on a text.

    The best model (model.safetensors), metrics.jsonl, samples.txt and what --resume needs are saved in the run folder.
    Ctrl-C saves and stops. Settings whose default is auto are chosen to suit the text and the length of the run, which
    ends when the first of --minutes, --epochs and --steps is reached.

    Examples:
      [bold]charlm train corpus.txt[/bold]
      [bold]charlm train tinyshakespeare --minutes 2 --splits 90/10/0[/bold]
      [bold]charlm train train.txt --valid valid.txt --test test.txt[/bold]
      [bold]charlm train names.txt --documents line --epochs 10[/bold]
      [bold]charlm train reviews.csv --text-column text --label-column stars[/bold]
      [bold]charlm train nouns.csv --source-column singular --target-column plural[/bold]
      [bold]charlm train novel.txt --tokenizer subword --hidden 512 --minutes 30[/bold]
      [bold]charlm train novel.txt --minutes 1 --seeds 3[/bold]
      [bold]charlm train poems.txt --init-from english[/bold]
      [bold]charlm train --resume[/bold]
    """
    started = time.monotonic()
    from charlm.config import ModelOptions, TokenizerConfig, TrainOptions
    from charlm.errors import ConfigError

    corpus = corpus_options(
        documents, separator, splits, encoding, errors, direction, text_column, source_column, target_column
    )
    if label_column is not None:
        corpus["label_column"] = tuple(label_column)
    if label_files is not None:
        corpus["label_files"] = label_files
    if label_folders is not None:
        corpus["label_folders"] = label_folders
    tokenizer_options = without_none(
        kind=tokenizer,
        vocab_size=vocab_size,
        algorithm=subword_algorithm,
        min_count=min_count,
        word_split=word_split,
    )
    model = without_none(
        network=network,
        cell=cell,
        num_layers=layers,
        hidden_size=hidden,
        heads=heads,
        attention_span=attention_span,
        kernel_size=kernel_size,
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
        match=match,
        recent=recent,
        skip=skip,
        skip_steps=skip_steps,
    )
    lengths = without_none(minutes=minutes, epochs=epochs, steps=steps)
    training = without_none(
        batch_size=batch_size,
        seq_len=seq_len,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        averaging=averaging,
        softmax_samples=softmax_samples,
        clip=clip,
        seed=seed,
        validations=validations,
        threads=threads,
        device=device,
        precision=precision,
        prior_memory=None if prior_memory is None else memory_size("--prior-memory", prior_memory),
    )
    fixed = training.keys() - {"learning_rate", "clip"}
    if resume and any((corpus, valid, test, tokenizer_options, model, fixed, seeds, init_from, overwrite)):
        raise ConfigError(
            "--resume continues with the run's own settings; besides TEXT (the same text), only --run, --minutes, "
            "--epochs, --steps, --learning-rate and --clip can be combined with it"
        )
    if vocab_size is not None and tokenizer not in ("subword", "word"):
        raise ConfigError("--vocab-size needs --tokenizer subword or word")
    if subword_algorithm is not None and tokenizer != "subword":
        raise ConfigError("--subword-algorithm needs --tokenizer subword")
    if {"min_count", "word_split"} & tokenizer_options.keys() and tokenizer != "word":
        raise ConfigError("--min-count and --word-split need --tokenizer word")
    check_processes(processes, text or [], run, seeds)
    if processes is not None and processes > 1:
        run_in_processes(context, processes, text or [], run, threads, resume=resume)
        return
    if resume:
        with _display(text) as (callbacks, together):
            from charlm import api
            from charlm.storage.runs import newest_resumable

            result = api.resume_run(
                run if run is not None else together.from_first(lambda: str(newest_resumable())),
                text=text or None,
                lengths=cast(TrainOptions, lengths),
                learning_rate=learning_rate,
                clip=clip,
                callbacks=callbacks,
                started=started,
                processes=together,
            )
        _report(result, context, json=json)
        return
    results: list[Trained] = []
    for name, own_seed in planned_runs(text or [], run, seed, seeds, overwrite=overwrite):
        with _display(text) as (callbacks, together):
            from charlm import api

            if name is not None and together.from_first(partial(was_begun_before, name)):
                result = api.resume_run(name, callbacks=callbacks, started=started, processes=together)
            else:
                result = api.train_run(
                    text or [],
                    run=name,
                    corpus=corpus,
                    tokenizer=TokenizerConfig(**tokenizer_options) if tokenizer_options else None,
                    model=cast(ModelOptions, model),
                    training=cast(TrainOptions, lengths | training | own_seed),
                    valid=valid or None,
                    test=test or None,
                    overwrite=overwrite,
                    callbacks=callbacks,
                    started=started if not results else time.monotonic(),
                    processes=together,
                    **without_none(init_from=init_from),
                )
        _report(result, context, json=json)
        results.append(result)
    if seeds is not None:
        report_seeds(results)


@contextmanager
def _display(text: list[str] | None) -> Iterator[tuple["Callbacks", "Processes"]]:
    """Callbacks that display a run and let Ctrl-C stop it, and the processes that train together.

    Says what is done before the run begins. Only the first process displays anything.
    """
    from charlm.cli.ui.console import Bars, stderr
    from charlm.cli.ui.screen import Screen
    from charlm.training.interrupt import Interrupt

    if rank_in_environment() > 0:
        with Interrupt() as interrupt:
            from charlm.api import Callbacks
            from charlm.processes.distributed import joined

            with joined() as processes:
                yield Callbacks(on_start=interrupt.arm, should_stop=interrupt), processes
        return
    console = stderr()
    with Bars(console) as bars, Interrupt() as interrupt, Screen(console, bars, interrupt) as screen:
        bars.status("loading torch")
        from charlm.api import Callbacks
        from charlm.processes.distributed import joined

        if "-" in (text or []) and sys.stdin is not None and sys.stdin.isatty():  # the user is typing the text
            bars.finish()
        else:
            bars.status("reading the text")
        callbacks = Callbacks(
            progress=bars,
            on_settings=screen.autotuned,
            on_start=screen.prepared,
            on_event=screen,
            should_stop=interrupt,
        )
        with joined() as processes:
            yield callbacks, processes


def _report(result: "Trained", context: typer.Context, *, json: bool) -> None:
    """Print on stderr how a run ended; with `json`, print it on stdout too. Exits if the run was interrupted."""
    from dataclasses import asdict

    from charlm.analysis.runs.advice import advice_on
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.evaluation.verdict import validation_verdict

    if rank_in_environment() > 0:
        if not result.outcome.finished:
            raise typer.Exit(130)
        return
    advice, forgotten, verdict, suggestion = None, None, list[str](), list[str]()
    console = stderr()
    if result.outcome.finished:
        advice = advice_on(result.run)
        if advice is not None:
            command = repeated(context, advice.options) if advice.options else None
            suggestion = [advice.sentence + (f"; try: {command}" if command else "")]
        with Bars(console) as progress:
            if result.outcome.best is not None:
                verdict = validation_verdict(result.dataset, result.outcome.best, progress=progress)
            forgotten = _forgotten(result.run, progress)
        if forgotten is not None:
            verdict.append(
                f"forgotten: text that the model it began with writes costs {forgotten.after:.2f} bits/char now, "
                f"{forgotten.before:.2f} before"
            )
    for line in _summary(result, suggestion + verdict):
        console.print(line, markup=False, soft_wrap=True)
    if json:
        values = {"run": str(result.run), "model": str(result.run / MODEL_FILE)} | asdict(result.outcome)
        values |= {"advice": None if advice is None else asdict(advice), "verdict": verdict}
        print_json(values | {"forgotten": None if forgotten is None else forgotten.to_json()})
    if not result.outcome.finished:
        raise typer.Exit(130)


def _forgotten(run: Path, progress: "Progress") -> "Forgotten | None":
    """What the model of a run has forgotten of the model that it began with; None if there is or was none."""
    from charlm.analysis.runs.forgetting import measure_forgetting
    from charlm.storage.runs import RunFolder
    from charlm.training.start.fine_tuning import load_start_model

    init_from = RunFolder(run).read_config().init_from
    if init_from is None or not Path(init_from).exists():
        return None
    start, model = load_start_model(init_from), load_start_model(run)
    assert start is not None and model is not None
    return measure_forgetting((start.model, start.tokenizer), (model.model, model.tokenizer), progress=progress)


def _summary(result: "Trained", sentences: list[str]) -> Iterator[str]:
    """The lines that end a run."""
    from charlm.cli.ui.console import duration, thousands, with_margin

    outcome = result.outcome
    run = shlex.quote(str(result.run))
    if not outcome.finished:
        command = f"charlm train --resume --run {run}{option_of_launcher()}"
        yield f"saved at step {thousands(outcome.step)}; continue with: {command}"
        return
    yield f"{thousands(outcome.step)} steps, {outcome.epoch:.2f} epochs, {duration(outcome.seconds)}"
    if outcome.best is not None:
        whole = ", over the whole split" if outcome.margin == 0 else ""
        figure = f"{with_margin(outcome.best, outcome.margin)} nats per token{whole}"
        yield f"best validation loss {figure}, at step {thousands(outcome.best_step)}"
    yield from sentences
    held_out = result.dataset.valid.facts.tokens + result.dataset.test.facts.tokens
    evaluation = f"charlm eval {run}" if held_out else f"charlm eval {run} TEXT"
    source = " --source TEXT" if result.dataset.corpus.config.is_pairs else ""
    yield f"model saved to {result.run / MODEL_FILE}; next: charlm sample {run}{source}, {evaluation}"
