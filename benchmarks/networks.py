"""Recurrent layers, a transformer and convolutions at equal time: the lecture's "the same with CNNs and transformers".

    python benchmarks/networks.py TEXT... [--minutes 1] [--seeds 1] [--sizes default equal] [--threads 1]
        [--networks recurrent transformer convolution] [--prior with without]

Makes the rows of docs/notes/networks.md. Every text is split 90/5/5, tinyshakespeare 90/10/0, as nanoGPT does; the
score is that of the test split, or else of validation. A TEXT is a file or a registered name; with ":line" appended,
each line is a document.

Each network is trained for the same minutes with the automatic settings, with the n-gram prior and without it: first
with its default shape, then ("equal") with the width that makes it as large as an LSTM of 256 units, without embedding,
output layer and n-gram vectors. After that it writes for some seconds, which gives its speed. Nothing else should run
on the same cores. A run that this machine has made in this state of the program is not repeated.
"""

import argparse
import json
import tempfile
import time
from functools import partial
from itertools import product
from statistics import median
from typing import Any

import torch
from results import Results, add_option
from runs import divided, name_of, run_charlm, start

import charlm
from charlm.config import DEFAULT_HIDDEN_SIZE, DEFAULT_NETWORK, DEFAULT_SHAPES, ModelConfig, NetworkKind
from charlm.model.language_model import NETWORKS

WIDTHS = range(16, 1025, 8)
PRIORS = {"with": True, "without": False}
LENGTH = 2000  # characters written for the speed


def parameters(network: NetworkKind, hidden_size: int) -> int:
    """The number of weights of a network alone."""
    shape = DEFAULT_SHAPES[network] | {"hidden_size": hidden_size}
    with torch.device("meta"):
        layers = NETWORKS[network](ModelConfig(vocab_size=68, network=network, **shape))
    return sum(weight.numel() for weight in layers.parameters())


def width(network: NetworkKind, size: str) -> int:
    """H of a network: its default, or that with about as many weights as the default recurrent layers."""
    if size == "default":
        return DEFAULT_SHAPES[network]["hidden_size"]
    wanted = parameters(DEFAULT_NETWORK, DEFAULT_HIDDEN_SIZE)
    return min(WIDTHS, key=lambda hidden_size: abs(parameters(network, hidden_size) - wanted))


def run(
    text: str, network: NetworkKind, hidden_size: int, minutes: float, seed: int, threads: int, *, prior: bool
) -> dict[str, Any]:
    """Train once, score, and write: the figures of a line of the results file."""
    path, corpus = divided(text)
    with tempfile.TemporaryDirectory() as folder:
        options = ["--network", network, "--hidden", str(hidden_size), "--minutes", str(minutes), "--seed", str(seed)]
        options += ["--splits", "90/10/0" if name_of(text) == "tinyshakespeare" else "90/5/5"]
        options += ["--threads", str(threads), *(["--documents", *corpus.values()] if corpus else [])]
        options += ["--init-from", "none", *([] if prior else ["--ngram-order", "0"])]
        outcome = json.loads(run_charlm("train", path, *options, "--run", f"{folder}/run", "--json"))
        score = json.loads(run_charlm("eval", f"{folder}/run", "--no-baselines", "--json"))
        model = charlm.load(f"{folder}/run")
        return {
            "steps": outcome["step"],
            "epoch": outcome["epoch"],
            "parameters": sum(weight.numel() for weight in model.model.network.parameters()),
            "nats_per_character": score["nats_per_character"],
            "characters_per_second": speed(model),
        }


def speed(model: charlm.TextModel) -> float:
    """Characters that a model writes in a second, on one thread: the median of three samples."""
    torch.set_num_threads(1)
    seconds = []
    for seed in range(3):
        started = time.perf_counter()
        model.sample(length=LENGTH, min_length=LENGTH, seed=seed)
        seconds.append(time.perf_counter() - started)
    return LENGTH / median(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sizes", nargs="+", choices=("default", "equal"), default=["default", "equal"])
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--prior", nargs="+", choices=PRIORS, default=list(PRIORS))
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("networks", arguments.results, threads=arguments.threads)
    print("| text | minutes | prior | size | network | seed | steps | parameters | nats/char | characters/s |")
    print("|" + " --- |" * 10)
    priors = [PRIORS[name] for name in arguments.prior]
    rows = product(arguments.texts, arguments.minutes, priors, arguments.sizes, arguments.networks)
    for text, minutes, prior, size, network in rows:
        hidden_size = width(network, size)
        if size == "equal" and hidden_size == width(network, "default") and "default" in arguments.sizes:
            continue  # it has a row already
        settings = {"text": name_of(text), "minutes": minutes, "prior": prior, "network": network}
        settings |= {"size": size, "hidden": hidden_size}
        for seed in arguments.seeds:
            measured = partial(run, text, network, hidden_size, minutes, seed, arguments.threads, prior=prior)
            one = results.get(settings, measured, seed=seed)
            print(
                f"| {settings['text']} | {minutes:g} | {'yes' if prior else 'no'} | {size} | {network} | {seed} | "
                f"{one['steps']:,} | {one['parameters']:,} | {one['nats_per_character']:.4f} | "
                f"{one['characters_per_second']:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    start(main)
