"""Perplexity per word of models of words on the official test text of WikiText-2, and the speed of their output layer.

    python benchmarks/words.py [TEXT] [--minutes 30] [--seeds 1] [--threads 2] [--ways dynamic cache both]
        [--keep FOLDER] [--speed-only] [--rounds 3]

Makes the rows "words" of docs/results: `charlm train TEXT --tokenizer word --minutes M --threads N`, without any other
setting, then `charlm eval` of the test text: static, with dynamic evaluation, with a neural cache, and with both. TEXT
is a named corpus with official splits, by default wikitext-2, or a folder with train.txt, valid.txt and test.txt. A run
that is in FOLDER already is scored again instead of trained. The speed is that of training steps of a network of 256
units on random tokens, with the logits of all words and of a sample, in turn: the median of `--rounds`. Nothing else
should run on the same cores.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch
from results import Results, add_option
from runs import name_of, run_charlm, start

VOCAB_SIZE = 33_278 + 258
"""That of WikiText-2."""
WAYS = {"dynamic": ["--dynamic"], "cache": ["--cache"], "both": ["--dynamic", "--cache"]}
"""The options of `charlm eval` besides those of the static score."""


def arguments_of(text: str) -> list[str]:
    """The arguments of `charlm train` for a named corpus or a folder."""
    folder = Path(text)
    if not folder.is_dir():
        return [text]
    return [str(folder / "train.txt"), "--valid", str(folder / "valid.txt"), "--test", str(folder / "test.txt")]


def run(
    text: str, minutes: float, seed: int, threads: int, *, ways: list[str], keep: str | None = None
) -> dict[str, Any]:
    """Train, and evaluate in some ways: the figures of a line of the results file; the run stays in `keep`."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or temporary + "/run"
        options = ["--tokenizer", "word", "--minutes", minutes, "--threads", threads, "--seed", seed]
        outcome = Path(folder) / "outcome.json"
        if not outcome.exists():
            outcome.write_text(run_charlm("train", *arguments_of(text), *options, "--run", folder, "--json"))
        trained = json.loads(outcome.read_text())

        def evaluate(*options: str) -> dict[str, Any]:
            scored = ("--split", "test", "--threads", threads, "--json", "--no-baselines", *options)
            values: dict[str, Any] = json.loads(run_charlm("eval", folder, *scored))
            return values

        static = evaluate()
        return {
            "steps": trained["step"],
            "epoch": trained["epoch"],
            "tokens_per_second": trained["tokens"] / trained["seconds"],
            "words": static["words"],
            "bits_per_character": static["bits_per_character"],
            "perplexity": static["perplexity_per_word"],
            **{way: evaluate(*WAYS[way])["perplexity_per_word"] for way in ways},
        }


def speeds(threads: int, rounds: int) -> dict[str, float]:
    """Training tokens per second with the logits of all words, and with those of a sample."""
    from charlm.config import DEFAULT_NETWORK, DEFAULT_SHAPES, ModelConfig, TrainConfig, default_embedding
    from charlm.training.start.batch import softmax_samples_for
    from charlm.training.start.speed import tokens_per_second

    torch.set_num_threads(threads)
    shape = DEFAULT_SHAPES[DEFAULT_NETWORK]
    network = ModelConfig(vocab_size=VOCAB_SIZE, **shape, **default_embedding(VOCAB_SIZE, shape["hidden_size"]))
    samples = softmax_samples_for(VOCAB_SIZE, match=False)
    timed: dict[str, list[float]] = {"full": [], "sampled": []}
    for _ in range(rounds):
        for name, size in (("full", 0), ("sampled", samples)):
            config = TrainConfig(steps=1, batch_size=32, optimizer="muon", softmax_samples=size)
            timed[name].append(tokens_per_second(network, config, 32))
    return {f"{name}_softmax": median(values) for name, values in timed.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="wikitext-2")
    parser.add_argument("--minutes", type=float, nargs="+", default=[30.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS), help="besides static")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the runs, as FOLDER/MINUTES-SEED")
    parser.add_argument("--speed-only", action="store_true", help="time the output layer and train nothing")
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("words", arguments.results, threads=arguments.threads)
    speed = speeds(arguments.threads, arguments.rounds)
    print(f"tokens per second: {speed['full_softmax']:,.0f} full, {speed['sampled_softmax']:,.0f} sampled softmax\n")
    if arguments.speed_only:
        return
    print("| text | minutes | seed | passes | perplexity | dynamic | cache | both |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for minutes in arguments.minutes:
        for seed in arguments.seeds:
            settings = {"text": name_of(arguments.text), "minutes": minutes}
            one = results.find(settings, seed=seed)
            if one is None:
                keep = f"{arguments.keep}/{minutes:g}-{seed}" if arguments.keep else None
                one = speed | run(arguments.text, minutes, seed, arguments.threads, ways=arguments.ways, keep=keep)
                results.add(settings, one, seed=seed)
            figures = " | ".join(f"{one[name]:.2f}" if name in one else "" for name in ("perplexity", *WAYS))
            print(f"| {settings['text']} | {minutes:g} | {seed} | {one['epoch']:.1f} | {figures} |", flush=True)


if __name__ == "__main__":
    start(main)
