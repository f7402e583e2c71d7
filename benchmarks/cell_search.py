"""The search over cells, again: all cells at equal parameter count and equal budget.

    python benchmarks/cell_search.py FILE [FILE...] [--tokens 400000 | --seconds 20] [--results FILE.jsonl]

Each cell gets the width that brings its model nearest to the size of an LSTM of 128 units. Its learning rate is the one
of a small grid that does best on the validation split with the first seed; the table shows nats per character on the
test split, mean and spread over three seeds. Every run is a line of the results file, and a run that has its line is
not made again: the search can be stopped and gone on with at any time.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from charlm import api
from charlm.cells import CELLS, find_cell
from charlm.config import TrainConfig
from charlm.errors import TrainingDivergedError
from charlm.text_model import load

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = (1, 2, 3)
EMBEDDING, BATCH, STEPS = 32, 16, 32


def parameters(cell: str, hidden: int, vocab: int) -> int:
    """Of a model of one layer."""
    return find_cell(cell).num_parameters(EMBEDDING, hidden) + vocab * (EMBEDDING + hidden + 1)


def width(cell: str, vocab: int) -> int:
    """The width that comes nearest to the size of an LSTM of 128 units."""
    wanted = parameters("lstm", 128, vocab)
    return min(range(8, 2048), key=lambda hidden: abs(parameters(cell, hidden, vocab) - wanted))


def run(text: str, cell: str, rate: float, seed: int, budget: dict[str, float], threads: int) -> dict[str, Any]:
    """Train once and score validation and test; infinite where training diverged."""
    length: dict[str, Any] = (
        {"steps": round(budget["tokens"] / (BATCH * STEPS))}
        if "tokens" in budget
        else {"minutes": budget["seconds"] / 60}
    )
    vocab = 3 + len(set(Path(text).read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(
            **length,
            learning_rate=rate,
            seed=seed,
            threads=threads,
            validations=4,
            batch_size=BATCH,
            seq_len=STEPS,
            precision="float32",
        )
        started = time.monotonic()
        facts = {"text": text, "cell": cell, "rate": rate, "seed": seed, **budget, "hidden": width(cell, vocab)}
        try:
            result = api.train(
                text,
                run=f"{folder}/run",
                model={
                    "cell": cell,
                    "hidden_size": facts["hidden"],
                    "embedding_size": EMBEDDING,
                    "ngram_order": 0,
                },
                training=config,
            )
        except TrainingDivergedError:
            return facts | {"valid": None, "test": None, "seconds_taken": time.monotonic() - started}
        model = load(result.run)
        scores = {split: model.evaluate_own(split).nats_per_character for split in ("valid", "test")}
        return (
            facts
            | scores
            | {
                "parameters": model.checkpoint.model.num_parameters(),
                "steps": result.outcome.step,
                "seconds_taken": time.monotonic() - started,
            }
        )


def search(texts: list[str], budget: dict[str, float], results: Path, threads: int) -> list[dict[str, Any]]:
    """All runs that the table needs, those of the results file among them."""
    lines = results.read_text().splitlines() if results.exists() else []
    done = [json.loads(line) for line in lines]

    def get(text: str, cell: str, rate: float, seed: int) -> dict[str, Any]:
        key = {"text": text, "cell": cell, "rate": rate, "seed": seed, **budget}
        for one in done:
            if all(one.get(name) == value for name, value in key.items()):
                return one
        one = run(text, cell, rate, seed, budget, threads)
        done.append(one)
        with results.open("a") as file:
            file.write(json.dumps(one) + "\n")
        return one

    found = []
    for text in texts:
        for cell in CELLS:
            if cell == "lstm-f":  # lstm-1997 by another name
                continue
            tried = [get(text, cell, rate, SEEDS[0]) for rate in RATES]
            best = min(tried, key=lambda one: one["valid"] if one["valid"] is not None else float("inf"))
            found += [best, *(get(text, cell, best["rate"], seed) for seed in SEEDS[1:])]
    return found


def show(found: list[dict[str, Any]]) -> None:
    """A table for each text, the best cell first."""
    for text in dict.fromkeys(one["text"] for one in found):
        print(f"\n{Path(text).stem}\n\n| cell | H | parameters | rate | test, nats/char | spread |")
        print("| --- | --- | --- | --- | --- | --- |")
        rows = []
        for cell in dict.fromkeys(one["cell"] for one in found):
            runs = [one for one in found if one["cell"] == cell and one["text"] == text]
            scores = [one["test"] for one in runs if one["test"] is not None]
            mean = statistics.mean(scores) if scores else float("inf")
            spread = f"{max(scores) - min(scores):.3f}" if len(scores) == len(SEEDS) else f"{len(scores)} of 3 ended"
            size = f"{runs[0].get('parameters', 0):,}"
            rows.append(
                (mean, f"| `{cell}` | {runs[0]['hidden']} | {size} | {runs[0]['rate']:g} | {mean:.4f} | {spread} |")
            )
        print("\n".join(row for _, row in sorted(rows)))


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--tokens", type=int, default=400_000)
    parser.add_argument("--seconds", type=float, help="a budget by the clock instead; nothing else should run")
    parser.add_argument("--results", type=Path, default=Path("cell_search.jsonl"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    budget = {"seconds": arguments.seconds} if arguments.seconds else {"tokens": arguments.tokens}
    print(f"torch {torch.__version__}, {arguments.threads} threads, {budget}")
    show(search(arguments.texts, budget, arguments.results, arguments.threads))


if __name__ == "__main__":
    main()
