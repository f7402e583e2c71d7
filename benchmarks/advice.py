"""Runs of T, 2T and 4T steps over texts of many kinds and sizes: what the advice of `charlm train` is fitted to.

    python benchmarks/advice.py [TEXT...] [--groups 66] [--threads 1] [--results docs/results/advice.jsonl]

Prints the tables of docs/notes/advice.md: how often each statement of `charlm.analysis.runs.advice` came true, and all
pairs of T and 2T. The interval of the gain is fitted to nine of ten texts at a time and checked on the tenth.

TEXT is a file or a registered name; with ":line" appended, each line is a document. Each group of runs cuts a piece of
1 kB to 500 kB out of the middle of a text, and draws a network and a number of steps T; its other settings are
auto-selected. Each length is trained anew, since the schedule of a run depends on its length. The two shorter runs are
repeated with the other settings that advice could suggest: with strong dropout if validation rises, and with a wider
network and twice the steps if training and validation losses stay close.

Every run is a line of the results file, and a run that is there is not repeated.
"""

import argparse
import json
import logging
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import FOLDER, commit
from runs import content_of, start

from charlm.analysis.runs.advice import Advice, advise
from charlm.analysis.runs.metrics import Metrics, StepRecord, ValidationRecord, read_metrics
from charlm.api import train_run
from charlm.config import TrainConfig
from charlm.loading import load
from charlm.storage.runs import RunFolder

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 500_000)
SHAPES: tuple[tuple[dict[str, Any], tuple[int, ...]], ...] = (
    ({"hidden_size": 32, "ngram_order": 0}, (50, 100, 200, 400)),
    ({"hidden_size": 64}, (30, 60, 120, 240)),
    ({"hidden_size": 128, "ngram_order": 4}, (20, 40, 80)),
    ({}, (15, 30)),
)
"""(fields of `ModelConfig`, numbers of steps T)."""
LONG: tuple[tuple[dict[str, Any], tuple[int, ...]], ...] = (
    ({"hidden_size": 32, "ngram_order": 0}, (1000, 2000)),
    ({"hidden_size": 64}, (500, 1000)),
)
"""The same for all groups from `FIRST_LONG` on."""
FIRST_LONG = 60
QUANTILES = (0.05, 0.95)
STRONG_DROPOUT = {"dropout": 0.4, "weight_dropout": 0.4}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A run, and what twice its length brought; all are shares of its loss."""

    run: dict[str, Any]
    fall: float
    """Of validation in the second half."""
    rise: float
    """Of the last validation above the lowest."""
    gain: float
    """Fall of the loss of the whole validation split by twice the length."""
    wider: float | None
    """The same for twice the length and the hidden size; None if that was not measured."""
    advice: Advice | None


def piece(text: str, size: int) -> str:
    """About `size` bytes from the middle of a text."""
    raw = content_of(text)
    start = max(0, (len(raw) - size) // 2)
    return raw[start : start + size].decode("utf-8", "ignore").lstrip("\ufffd")


def run(path: Path, documents: str, shape: dict[str, Any], steps: int, threads: int) -> dict[str, Any]:
    """Train once: the curves, and the score of the kept model on the whole validation split."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train_run(
            path,
            run=f"{folder}/run",
            corpus={"documents": documents},
            model=shape,
            training={"steps": steps, "threads": threads},
            init_from=None,
        )
        seconds = time.perf_counter() - started
        run_folder = RunFolder(trained.run)
        config, metrics = run_folder.read_config(), read_metrics(run_folder)
        model = load(trained.run)
        score = model.score(model.read(), "valid")
        facts = model.checkpoint.corpus
    curve, before = [], 0
    for validation in metrics.validations:
        losses = [one.loss for one in metrics.steps if before < one.step <= validation.step and one.loss is not None]
        if losses and validation.nats_per_token is not None:
            mean_loss = sum(losses) / len(losses)
            curve.append([validation.step, round(validation.nats_per_token, 5), round(mean_loss, 5)])
            before = validation.step
    last = metrics.steps[-1]
    return {
        "hidden": model.model.config.hidden_size,
        "ngram_order": model.model.config.ngram_order,
        "dropout": config.model["dropout"],
        "characters": facts.characters,
        "epochs": round(last.epoch, 4),
        "tokens": last.tokens,
        "scored": metrics.validations[-1].tokens,
        "best": trained.outcome.best,
        "best_step": trained.outcome.best_step,
        "validation_tokens": score.tokens,
        "whole": score.nats_per_token,
        "curve": curve,
        "seconds": round(seconds, 2),
    }


def suggested(group: dict[str, Any], result: dict[str, Any]) -> list[tuple[str, dict[str, Any], int]]:
    """The other settings to try after a run of a group: (name, model fields, factor of its steps)."""
    _, validation, training = result["curve"][-1]
    rise = validation / min(point[1] for point in result["curve"]) - 1
    tries: list[tuple[str, dict[str, Any], int]] = []
    if rise > 0.002 and result["dropout"] < STRONG_DROPOUT["dropout"]:
        tries.append(("dropout", group["shape"] | STRONG_DROPOUT, 1))
    if result["epochs"] >= 1 and result["hidden"] <= 128 and validation - training <= 0.04 * validation:
        tries.append(("wide", group["shape"] | {"hidden_size": 2 * result["hidden"]}, 2))
    return tries


def groups(texts: list[str], count: int) -> list[dict[str, Any]]:
    """The same groups every time: the texts in turn, the rest drawn."""
    random = np.random.default_rng(1)
    drawn = []
    for index in range(count):
        text, _, documents = texts[index % len(texts)].partition(":")
        shapes = SHAPES if index < FIRST_LONG else LONG
        shape, lengths = shapes[int(random.integers(len(shapes)))]
        drawn.append(
            {
                "text": text,
                "documents": documents or "file",
                "size": int(random.choice(SIZES)),
                "shape": shape,
                "steps": int(random.choice(lengths)),
            }
        )
    return drawn


def measure(texts: list[str], count: int, threads: int, results: Path) -> None:
    """Append the runs that the results file lacks."""
    done = {(one["group"], one["change"], one["steps"]): one for one in read_lines(results)}
    machine = {
        "commit": commit(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": threads,
        "seed": 1,
    }

    def measured(index: int, path: Path, change: str, shape: dict[str, Any], steps: int) -> dict[str, Any]:
        if (index, change, steps) in done:
            return done[index, change, steps]
        group = drawn[index]
        facts = {"text": Path(group["text"]).stem, "size": group["size"], "documents": group["documents"]}
        line = {"group": index, "change": change, "steps": steps} | facts
        line |= run(path, group["documents"], shape, steps, threads) | machine
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return line

    drawn = groups(texts, count)
    for index, group in enumerate(drawn):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            path.write_text(piece(group["text"], group["size"]), encoding="utf-8", newline="")
            for factor in (1, 2, 4):
                steps = factor * group["steps"]
                result = measured(index, path, "none", group["shape"], steps)
                if factor < 4:
                    for change, shape, times in suggested(group, result):
                        measured(index, path, change, shape, times * steps)
        print(f"group {index}: {group}", file=sys.stderr, flush=True)


def read_lines(results: Path) -> list[dict[str, Any]]:
    """The lines of the results file."""
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []


def pairs(lines: list[dict[str, Any]]) -> list[Pair]:
    """All runs whose double was measured; groups that were drawn twice count once."""
    plain = {(one["group"], one["steps"]): one for one in lines if one["change"] == "none"}
    wide = {(one["group"], one["steps"]): one for one in lines if one["change"] == "wide"}
    found = {}
    for (group, steps), one in plain.items():
        if (group, 2 * steps) not in plain:
            continue
        validations = [validation for _, validation, _ in one["curve"]]
        last, twice, wider = validations[-1], plain[group, 2 * steps], wide.get((group, 2 * steps))
        key = (one["text"], one["size"], one["hidden"], one["ngram_order"], steps)
        found[key] = Pair(
            run=one,
            fall=1 - last / validations[len(validations) // 2 - 1],
            rise=last / min(validations) - 1,
            gain=1 - twice["whole"] / one["whole"],
            wider=None if wider is None else 1 - wider["whole"] / one["whole"],
            advice=advise(
                metrics_of(one, steps),
                hidden_size=one["hidden"],
                training=TrainConfig(steps=steps),
            ),
        )
    return list(found.values())


def metrics_of(result: dict[str, Any], steps: int) -> Metrics:
    """The records of a run of some steps from its line in the results, as far as advice depends on them."""
    unused = {"progress": 0.0, "tokens": 0, "seconds": 0.0, "learning_rate": 0.0}
    none = {"gradient_norm": None, "clipped_norm": None}
    unscored = {"seconds": 0.0, "bits_per_character": None, "tokens": 0, "best": False}
    return Metrics(
        steps=tuple(
            StepRecord(step=step, loss=loss, epoch=result["epochs"] * step / steps, **unused, **none)
            for step, _, loss in result["curve"]
        ),
        validations=tuple(
            ValidationRecord(step=step, nats_per_token=nats, **unscored) for step, nats, _ in result["curve"]
        ),
    )


def line_of(pairs: list[Pair], quantile: float) -> tuple[float, float]:
    """(a, b) for which a + b f is this quantile of the gain, f being the fall in the second half of a run (Koenker and
    Bassett 1978, equation 1.3, with residuals relative to 0.3% + f)."""
    falls, gains = np.array([(pair.fall, pair.gain) for pair in pairs]).T
    a, b = np.meshgrid(np.arange(-0.005, 0.0201, 0.0005), np.arange(0, 4.01, 0.1), indexing="ij")
    residuals = (gains - a[..., None] - b[..., None] * falls) / (0.003 + falls)
    loss = np.maximum(quantile * residuals, (quantile - 1) * residuals).sum(-1)
    best = np.unravel_index(loss.argmin(), loss.shape)
    return round(float(a[best]), 4), round(float(b[best]), 2)


def inside(pair: Pair, fitted: list[Pair]) -> bool:
    """Whether a gain lies in the interval that is fitted to other pairs."""
    low, high = (a + b * pair.fall for a, b in (line_of(fitted, quantile) for quantile in QUANTILES))
    return low <= pair.gain <= high


def report(found: list[Pair]) -> None:
    """Print the tables of docs/notes/advice.md."""
    improving = [pair for pair in found if pair.advice and pair.advice.kind in ("improving", "small")]
    held_out = {
        text: (
            [one for one in improving if one.run["text"] == text],
            [one for one in improving if one.run["text"] != text],
        )
        for text in sorted({pair.run["text"] for pair in found})
    }
    hits = {text: [inside(pair, others) for pair in own] for text, (own, others) in held_out.items()}
    small = [pair for pair in improving if pair.advice and pair.advice.kind == "small"]
    overfitted = [pair for pair in found if pair.advice and pair.advice.kind == "overfitted"]
    rows = {
        "still improving: twice the length lowers the loss": [pair.gain > 0 for pair in improving],
        "by an amount in the interval": [true for own in hits.values() for true in own],
        "a network twice as wide lowers it more": [(pair.wider or 0) > pair.gain for pair in small],
        "overfitted: twice the length gains less than 0.5%": [pair.gain < 0.005 for pair in overfitted],
    }
    print("| statement | said | came true |\n| --- | --- | --- |")
    for statement, true in rows.items():
        print(f"| {statement} | {len(true)} | {sum(true)} |")
    print(f"\nno forecast: {sum(pair.advice is None or pair.advice.kind == 'level' for pair in found)} of {len(found)}")
    print("fitted to all:", *(f"a = {a:g}, b = {b:g}" for a, b in (line_of(improving, q) for q in QUANTILES)))
    print("\n| text | in the interval fitted to the other texts |\n| --- | --- |")
    for text, true in hits.items():
        print(f"| {text} | {sum(true)} of {len(true)} |")
    print("\n| text | size | units | order | steps | passes | loss | fell | rose | twice | said |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for pair in sorted(
        found, key=lambda pair: (pair.run["text"], pair.run["size"], pair.run["group"], pair.run["steps"])
    ):
        one = pair.run
        facts = [one[name] for name in ("text", "size", "hidden", "ngram_order", "steps")]
        shares = [f"{100 * share:.2f}%" for share in (pair.fall, pair.rise, -pair.gain)]
        said = pair.advice.kind if pair.advice else "nothing"
        print("|", " | ".join(map(str, [*facts, f"{one['epochs']:.1f}", f"{one['whole']:.4f}", *shares, said])), "|")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*", help="without any, only the tables are printed")
    parser.add_argument("--groups", type=int, default=66)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER / "advice.jsonl")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    if arguments.texts:
        measure(arguments.texts, arguments.groups, arguments.threads, arguments.results)
    report(pairs(read_lines(arguments.results)))


if __name__ == "__main__":
    start(main)
