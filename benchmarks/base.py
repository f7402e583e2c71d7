"""Whether charlm chooses well: a new network or the bundled model of English, with a match or without.

    python benchmarks/base.py TEXT... [--minutes 1] [--seeds 1] [--threads 2]

Each run is `charlm train TEXT --minutes M --splits 80/10/10 --init-from none` or `english`, both with or without a
match as charlm chooses, and a third one that begins as charlm chooses and does the opposite of its choice of a match.
TEXT is a file or a registered name; with ":line" appended, each line is a document.

anew, english   bits per character of the test split
other match     the same of the third run
chosen          what `charlm train` chooses without --init-from, and whether with a match
lost            by how much the chosen run is above the best of the three; 0% if it is the best
n-grams, xz     the same of the best n-gram model, and of xz after the training split, as `charlm eval` gives them

A text that this machine has measured in this state of the program is not measured again.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option
from runs import divided, name_of, start

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
    print("| text | seed | anew | english | other match | chosen | lost | n-grams | xz |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for text in arguments.texts:
        for seed in arguments.seeds:
            settings = {"text": name_of(text), "minutes": arguments.minutes}
            measured = partial(measure, text, arguments.minutes, seed, arguments.threads)
            figures = results.get(settings, measured, seed=seed)
            tried = [f"{figures[key]:.4f}" for key in ("anew", "english", "other_match")]
            others = [f"{figures[key]:.4f}" for key in ("ngram", "xz")]
            cells = [settings["text"], str(seed), *tried, figures["chosen"], f"{figures['lost']:.1%}", *others]
            print(f"| {' | '.join(cells)} |", flush=True)


def measure(text: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """Train in each way in a temporary folder, and score the test split."""
    path, options = divided(text)
    settings = {"minutes": minutes, "seed": seed, "threads": threads, "splits": SPLITS, **options}
    begun = chosen(path, options)
    bits: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        matches = {}
        for name, init_from in (("anew", NONE), ("english", BASE)):
            model = charlm.train(path, run=Path(folder) / name, init_from=init_from, **settings)
            bits[init_from] = model.evaluate().bits_per_character
            matches[init_from] = model.model.config.match
        own = model.read()
        baselines = model.baselines(own, "test", own=own)
        match = not matches[begun]
        model = charlm.train(path, run=Path(folder) / "other", init_from=begun, match=match, **settings)
        other = model.evaluate().bits_per_character
    return {
        "anew": bits[NONE],
        "english": bits[BASE],
        "other_match": other,
        "chosen": f"{begun}, {'with' if matches[begun] else 'without'} a match",
        "lost": bits[begun] / min(*bits.values(), other) - 1,
        **{name: baselines[name].bits_per_character for name in ("ngram", "xz")},
    }


def chosen(path: str, options: dict[str, Any]) -> str:
    """What a run of a text begins with if nothing is said."""
    sources = find_sources(path)
    corpus = read_corpus(sources, corpus_config(sources, {**options, "splits": SPLITS}))
    dataset = make_dataset(corpus, TokenizerConfig())
    return NONE if reason_for_base(dataset, TokenizerConfig(), ()) is None else BASE


if __name__ == "__main__":
    start(main)
