"""What `charlm train` prints at the end: figures, a verdict, advice, and what to do next."""

import logging
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from charlm.cli.training.processes import option_of_launcher
from charlm.cli.training.repeated import repeated
from charlm.errors import CharlmError
from charlm.files import MODEL_FILE
from charlm.nouns import count_of
from charlm.processes.environment import rank_in_environment

if TYPE_CHECKING:
    from charlm.analysis.runs.forgetting import Forgotten
    from charlm.api import Trained
    from charlm.progress import Progress

logger = logging.getLogger(__name__)


def report(result: "Trained", context: typer.Context, *, json: bool) -> None:
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
            try:
                forgotten = _forgotten(result.run, progress)
            except CharlmError as error:  # that model may have been removed or replaced
                logger.warning("the run is not compared with the model that it began with: %s", error)
        if forgotten is not None:
            verdict.append(
                f"forgotten: text written by the model it began with costs {forgotten.after:.2f} bits/char now, "
                f"{forgotten.before:.2f} before"
            )
    for line in _summary(result, suggestion + verdict):
        console.print(line, soft_wrap=True)
    if json:
        values = {"run": str(result.run), "model": str(result.run / MODEL_FILE)} | asdict(result.outcome)
        values |= {"advice": None if advice is None else asdict(advice), "verdict": verdict}
        print_json(values | {"forgotten": None if forgotten is None else forgotten.to_json()})
    if not result.outcome.finished:
        raise typer.Exit(130)


def _forgotten(run: Path, progress: "Progress") -> "Forgotten | None":
    """What the model of a run has forgotten of the model that it began with.

    None if there was none or it is no longer there, and for pairs, whose targets are not written without a source.
    """
    from charlm.analysis.runs.forgetting import measure_forgetting
    from charlm.loading import load
    from charlm.storage.runs import RunFolder
    from charlm.training.start.fine_tuning import load_start_model

    config = RunFolder(run).read_config()
    if config.init_from is None or config.corpus.is_pairs or not Path(config.init_from).exists():
        return None
    start, model = load_start_model(config.init_from), load(run)
    assert start is not None and model.checkpoint.training is not None
    began_with = model.checkpoint.training.began_with
    if began_with is not None and began_with.sha256 != start.facts.sha256:  # another model took its place
        return None
    return measure_forgetting((start.model, start.tokenizer), (model.model, model.tokenizer), progress=progress)


def _summary(result: "Trained", sentences: list[str]) -> Iterator[str]:
    """The lines that end a run."""
    from charlm.cli.ui.numbers import duration, thousands, with_margin

    outcome = result.outcome
    run = shlex.quote(str(result.run))
    if not outcome.finished:
        command = f"charlm train --resume --run {run}{option_of_launcher()}"
        yield f"saved at step {thousands(outcome.step)}; continue with: {command}"
        return
    yield f"{count_of(outcome.step, 'step')}, {outcome.epoch:.2f} epochs, {duration(outcome.seconds)}"
    if outcome.best is not None:
        whole = ", over the whole split" if outcome.margin == 0 else ""
        figure = f"{with_margin(outcome.best, outcome.margin)} nats per token{whole}"
        yield f"best validation loss {figure}, at step {thousands(outcome.best_step)}"
    yield from sentences
    held_out = result.dataset.valid.facts.tokens + result.dataset.test.facts.tokens
    evaluation = f"charlm eval {run}" if held_out else f"charlm eval {run} TEXT"
    source = " --source TEXT" if result.dataset.corpus.config.is_pairs else ""
    yield f"model saved to {result.run / MODEL_FILE}; next: charlm sample {run}{source}, {evaluation}"


def report_seeds(results: "Sequence[Trained]") -> None:
    """Print the mean and the spread of the validation loss on stderr."""
    import statistics

    from charlm.cli.ui.console import stderr

    losses = [result.outcome.best for result in results if result.outcome.best is not None]
    if len(losses) > 1:
        each = ", ".join(f"{loss:.4f}" for loss in losses)
        stderr().print(
            f"{len(losses)} seeds: validation loss {statistics.mean(losses):.4f} nats per token, standard deviation "
            f"{statistics.stdev(losses):.4f} ({each})",
            soft_wrap=True,
        )
