"""`charlm train`: train a model, or continue a run."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import typer

from charlm.cli.options import corpus as text_options
from charlm.cli.options import network as network_options
from charlm.cli.options import train as options
from charlm.cli.options.shared import JsonOption, given, memory_size, without_none
from charlm.cli.reports.train import report, report_seeds
from charlm.cli.training.processes import check_processes, run_in_processes, was_begun_before
from charlm.cli.training.seeds import planned_runs
from charlm.errors import ConfigError
from charlm.processes.environment import rank_in_environment

if TYPE_CHECKING:
    from charlm.api import Callbacks, Trained
    from charlm.processes.processes import Processes

_OF_A_RESUMED_RUN = {"minutes", "epochs", "steps", "learning_rate", "clip", "device"}
"""The fields of `TrainConfig` that --resume can change."""


def train(
    context: typer.Context,  # from which `given` takes the options that the body does not name
    text: text_options.TextArgument = None,
    # --- text
    documents: text_options.DocumentsOption = None,
    separator: text_options.SeparatorOption = None,
    splits: text_options.SplitsOption = None,
    valid: text_options.ValidOption = None,
    test: text_options.TestOption = None,
    direction: text_options.DirectionOption = None,
    encoding: text_options.EncodingOption = None,
    errors: text_options.ErrorsOption = None,
    text_column: text_options.TextColumnOption = None,
    # --- pairs
    source_column: text_options.SourceColumnOption = None,
    target_column: text_options.TargetColumnOption = None,
    # --- labels
    label_column: text_options.LabelColumnOption = None,
    label_files: text_options.LabelFilesOption = None,
    label_folders: text_options.LabelFoldersOption = None,
    # --- tokenizer
    tokenizer: network_options.TokenizerOption = None,
    vocab_size: network_options.VocabSizeOption = None,
    subword_algorithm: network_options.SubwordAlgorithmOption = None,
    min_count: network_options.MinCountOption = None,
    word_split: network_options.WordSplitOption = None,
    # --- model
    network: network_options.NetworkOption = None,
    cell: network_options.CellOption = None,
    layers: network_options.LayersOption = None,
    hidden: network_options.HiddenOption = None,
    heads: network_options.HeadsOption = None,
    attention_span: network_options.AttentionSpanOption = None,
    kernel_size: network_options.KernelSizeOption = None,
    embedding: network_options.EmbeddingOption = None,
    dropout: network_options.DropoutOption = None,
    weight_dropout: network_options.WeightDropoutOption = None,
    tie_weights: network_options.TieWeightsOption = None,
    ngram_order: network_options.NgramOrderOption = None,
    prior_memory: network_options.PriorMemoryOption = None,
    context_vectors: network_options.ContextVectorsOption = None,
    match: network_options.MatchOption = None,
    recent: network_options.RecentOption = None,
    skip: network_options.SkipOption = None,
    skip_steps: network_options.SkipStepsOption = None,
    recurrent_init: network_options.RecurrentInitOption = None,
    input_init: network_options.InputInitOption = None,
    forget_bias: network_options.ForgetBiasOption = None,
    update_bias: network_options.UpdateBiasOption = None,
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

    corpus = text_options.corpus_options(context)
    tokenizer_fields = given(context, TokenizerConfig.__annotations__)
    model = given(context, ModelOptions.__annotations__)
    training = given(context, TrainOptions.__annotations__)
    if prior_memory is not None:
        training["prior_memory"] = memory_size("--prior-memory", prior_memory)
    if resume and (
        any((corpus, valid, test, tokenizer_fields, model, seeds, init_from, overwrite))
        or training.keys() - _OF_A_RESUMED_RUN
    ):
        raise ConfigError(
            "--resume continues with the run's own settings; besides TEXT (the same text), only --run, --minutes, "
            "--epochs, --steps, --learning-rate, --clip and --device can be combined with it"
        )
    _check_tokenizer(tokenizer_fields)
    check_processes(processes, text or [], run, seeds)
    if processes is not None and processes > 1:
        run_in_processes(context, processes, text or [], run, threads, resume=resume)
        return
    if resume:
        _check_text_is_no_run(text, run)
        with _display(text) as (callbacks, together):
            from charlm import api
            from charlm.storage.runs import newest_resumable

            result = api.resume_run(
                run if run is not None else together.from_first(lambda: str(newest_resumable())),
                text=text or None,
                lengths=cast(TrainOptions, without_none(minutes=minutes, epochs=epochs, steps=steps)),
                learning_rate=learning_rate,
                clip=clip,
                device=device,
                callbacks=callbacks,
                started=started,
                processes=together,
            )
        report(result, context, json=json)
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
                    tokenizer=TokenizerConfig(**tokenizer_fields) if tokenizer_fields else None,
                    model=cast(ModelOptions, model),
                    training=cast(TrainOptions, training | own_seed),
                    valid=valid or None,
                    test=test or None,
                    overwrite=overwrite,
                    callbacks=callbacks,
                    started=started if not results else time.monotonic(),
                    processes=together,
                    **without_none(init_from=init_from),
                )
        report(result, context, json=json)
        results.append(result)
    if seeds is not None:
        report_seeds(results)


def _check_tokenizer(fields: dict[str, Any]) -> None:
    """Raise `ConfigError` for an option of another tokenizer; `fields` are those of `TokenizerConfig`."""
    kind = fields.get("kind")
    if "vocab_size" in fields and kind not in ("subword", "word"):
        raise ConfigError("--vocab-size needs --tokenizer subword or word")
    if "algorithm" in fields and kind != "subword":
        raise ConfigError("--subword-algorithm needs --tokenizer subword")
    if fields.keys() & {"min_count", "word_split"} and kind != "word":
        raise ConfigError("--min-count and --word-split need --tokenizer word")


def _check_text_is_no_run(text: list[str] | None, run: str | None) -> None:
    """Raise `ConfigError` for the name of a run in the place of the text."""
    from charlm.data.sources import names_text
    from charlm.storage.runs import RunFolder, find_run

    if run is None and text is not None and len(text) == 1 and not names_text(text[0]):
        folder = find_run(text[0])
        if os.path.isfile(RunFolder(folder).config):
            raise ConfigError(f"{text[0]} is a run, not a text; continue it with: charlm train --resume --run {folder}")


@contextmanager
def _display(text: list[str] | None) -> Iterator[tuple["Callbacks", "Processes"]]:
    """Callbacks that display a run and let Ctrl-C stop it, and the processes that train together.

    Says what is done before the run begins. Only the first process displays anything.
    """
    from charlm.cli.training.screen import Screen
    from charlm.cli.ui.console import Bars, stderr
    from charlm.processes.interrupt import Interrupt

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
