"""All cells at equal model size and equal budget, each with its own learning rate.

    python benchmarks/cell_search.py TEXT... [--tokens 400000 | --seconds 20] [--threads 2]

Makes the rows of docs/notes/cell_search.md. TEXT is a file or a registered name. Every cell gets the width that brings
its model closest to the size of an LSTM of 128 units. The learning rate is the one of a small grid that does best on
the validation split with the first seed. The tables show nats per character on the test split: the mean over three
seeds, and the spread, which is the largest minus the smallest.

A run that this machine has made in this state of the program is not repeated: a search can be stopped and continued at
any time.
"""

import argparse
import statistics
import tempfile
import time
from typing import Any

import torch
from results import Results, add_option
from runs import content_of, name_of, start

from charlm.api import train_run
from charlm.cells import CELLS, find_cell
from charlm.config import SplitName, TrainOptions
from charlm.errors import TrainingDivergedError
from charlm.loading import load

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = (1, 2, 3)
EMBEDDING, BATCH, STEPS = 32, 16, 32
SPLITS: tuple[SplitName, ...] = ("valid", "test")


def num_parameters(cell: str, hidden_size: int, vocab_size: int) -> int:
    """Weights of a model of one layer."""
    return find_cell(cell).num_parameters(EMBEDDING, hidden_size) + vocab_size * (EMBEDDING + hidden_size + 1)


def equal_hidden_size(cell: str, vocab_size: int) -> int:
    """The H whose model comes closest to the size of an LSTM of 128 units."""
    wanted = num_parameters("lstm", 128, vocab_size)
    return min(range(8, 2048), key=lambda hidden_size: abs(num_parameters(cell, hidden_size, vocab_size) - wanted))


def num_characters(text: str) -> int:
    """Distinct characters of a text."""
    return len(set(content_of(text).decode()))


def run(text: str, cell: str, rate: float, seed: int, budget: dict[str, float], threads: int) -> dict[str, Any]:
    """Train once and score validation and test; both are None if training diverged."""
    training: TrainOptions = {
        "learning_rate": rate,
        "seed": seed,
        "threads": threads,
        "validations": 4,
        "batch_size": BATCH,
        "seq_len": STEPS,
        "precision": "float32",
    }
    if "tokens" in budget:
        training["steps"] = round(budget["tokens"] / (BATCH * STEPS))
    else:
        training["minutes"] = budget["seconds"] / 60
    hidden_size = equal_hidden_size(cell, 3 + num_characters(text))
    facts = {"text": text, "cell": cell, "rate": rate, "seed": seed, **budget, "hidden": hidden_size}
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        try:
            trained = train_run(
                text,
                run=f"{folder}/run",
                model={"cell": cell, "hidden_size": hidden_size, "embedding_size": EMBEDDING, "ngram_order": 0},
                training=training,
                auto=False,
            )
        except TrainingDivergedError:
            return facts | {"valid": None, "test": None, "seconds_taken": time.monotonic() - started}
        model = load(trained.run)
        scores = {split: model.evaluate(split=split).nats_per_character for split in SPLITS}
        return (
            facts
            | scores
            | {
                "parameters": model.model.num_parameters(),
                "steps": trained.outcome.step,
                "seconds_taken": time.monotonic() - started,
            }
        )


def search(texts: list[str], budget: dict[str, float], results: Results, threads: int) -> list[dict[str, Any]]:
    """The runs that the tables show; those that are not in the results file are made."""

    def get(text: str, cell: str, rate: float, seed: int) -> dict[str, Any]:
        settings = {"text": name_of(text), "cell": cell, "rate": rate, **budget}
        figures = results.find(settings, seed=seed)
        if figures is None:
            one = run(text, cell, rate, seed, budget, threads)
            figures = {name: value for name, value in one.items() if name not in (*settings, "seed")}
            results.add(settings, figures, seed=seed)
        return settings | figures

    shown = []
    for text in texts:
        for cell in CELLS:
            if cell == "lstm-f":  # another name for lstm-1997
                continue
            tried = [get(text, cell, rate, SEEDS[0]) for rate in RATES]
            best = min(tried, key=lambda one: one["valid"] if one["valid"] is not None else float("inf"))
            shown += [best, *(get(text, cell, best["rate"], seed) for seed in SEEDS[1:])]
    return shown


def show(runs: list[dict[str, Any]]) -> None:
    """Print a table for each text, best cell first."""
    for text in dict.fromkeys(one["text"] for one in runs):
        print(f"\n{text}\n\n| cell | H | parameters | learning rate | test, nats/char | spread |")
        print("| --- | --- | --- | --- | --- | --- |")
        rows = []
        for cell in dict.fromkeys(one["cell"] for one in runs):
            own = [one for one in runs if one["cell"] == cell and one["text"] == text]
            scores = [one["test"] for one in own if one["test"] is not None]
            mean = statistics.mean(scores) if scores else float("inf")
            diverged = f"{len(SEEDS) - len(scores)} of {len(SEEDS)} diverged"
            spread = f"{max(scores) - min(scores):.3f}" if len(scores) == len(SEEDS) else diverged
            size = f"{own[0].get('parameters', 0):,}"
            row = f"| `{cell}` | {own[0]['hidden']} | {size} | {own[0]['rate']:g} | {mean:.4f} | {spread} |"
            rows.append((mean, row))
        print("\n".join(row for _, row in sorted(rows)))


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--tokens", type=int, default=400_000)
    parser.add_argument("--seconds", type=float, help="a wall-clock budget instead; nothing else should run meanwhile")
    parser.add_argument("--threads", type=int, default=2)
    add_option(parser)
    arguments = parser.parse_args()
    budget = {"seconds": arguments.seconds} if arguments.seconds else {"tokens": arguments.tokens}
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {budget}")
    results = Results("cell_search", arguments.results, threads=arguments.threads)
    show(search(arguments.texts, budget, results, arguments.threads))


if __name__ == "__main__":
    start(main)
