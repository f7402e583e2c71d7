"""What the bundled model of English gives: runs that begin with it and anew, what charlm chooses, and the compressors.

    python benchmarks/base.py TEXT... [--minutes 1] [--seeds 1] [--threads 2]

Each run is `charlm train TEXT --minutes M --splits 80/10/10 --init-from none` or `english`. TEXT is a file or a
registered name; with ":line" appended, each line is a document.

anew, english   bits per character of the test split
chosen          what `charlm train` chooses without --init-from
n-grams, xz     the same of the best n-gram model, and of xz after the training split, as `charlm eval` gives them
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option

import charlm
from charlm.config import TokenizerConfig
from charlm.data.corpus import corpus_config, read_corpus
from charlm.data.dataset import make_dataset
from charlm.data.sources import find_sources
from charlm.training.start.base import BASE, NONE, reason_for_base

SPLITS = (80.0, 10.0, 10.0)


def main() -> None:
    """Print a row for each text and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("base", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.minutes:g} minutes\n")
    print("| text | seed | anew | english | chosen | n-grams | xz |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for text in arguments.texts:
        for seed in arguments.seeds:
            name = Path(text.partition(":")[0]).stem
            figures = measure(text, arguments.minutes, seed, arguments.threads)
            results.add({"text": name, "minutes": arguments.minutes}, figures, seed=seed)
            bits = {key: f"{figures[key]:.4f}" for key in ("anew", "english", "ngram", "xz")}
            cells = [name, str(seed), bits["anew"], bits["english"], figures["chosen"], bits["ngram"], bits["xz"]]
            print(f"| {' | '.join(cells)} |", flush=True)


def measure(text: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """Train anew and from the base in a temporary folder, and score the test split."""
    path, _, documents = text.partition(":")
    options: dict[str, Any] = {"documents": documents} if documents else {}
    figures: dict[str, Any] = {"chosen": chosen(path, options)}
    with tempfile.TemporaryDirectory() as folder:
        for name, init_from in (("anew", NONE), ("english", BASE)):
            settings = {"minutes": minutes, "seed": seed, "threads": threads, "splits": SPLITS, "init_from": init_from}
            model = charlm.train(path, run=Path(folder) / name, **settings, **options)
            figures[name] = model.evaluate().bits_per_character
        own = model.read()
        baselines = model.baselines(own, "test", own=own)
    return figures | {name: baselines[name].bits_per_character for name in ("ngram", "xz")}


def chosen(path: str, options: dict[str, Any]) -> str:
    """What a run of a text begins with if nothing is said."""
    sources = find_sources(path)
    corpus = read_corpus(sources, corpus_config(sources, {**options, "splits": SPLITS}))
    dataset = make_dataset(corpus, TokenizerConfig())
    return NONE if reason_for_base(dataset, TokenizerConfig(), ()) is None else BASE


if __name__ == "__main__":
    main()
