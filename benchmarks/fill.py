"""How often the true piece is among five fillings of a gap: both models, against the forward one alone.

    python benchmarks/fill.py FORWARD BACKWARD [--lines 200] [--gap 12] [--candidates 64]

FORWARD and BACKWARD are runs on the same text. From lines of its validation part twelve characters are cut out of the
middle; 200 characters before the gap and what follows it on the line and the next one are given. The same proposals of
the forward model are ranked in three ways: by their own probability, by that of them and of the right text, and by both
models.
"""

import argparse
import random

import torch

from charlm.loaded import load_pair
from charlm.sampler import SampleConfig, write_many


def gaps(text: str, number: int, size: int) -> list[tuple[str, str, str]]:
    """Left side, piece and right side, from lines chosen at random with seed 1."""
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        start = at + (len(line) - size) // 2
        if len(line) > 3 * size and at > 200:
            end = text.find("\n", at + len(line))
            found.append((text[start - 200 : start], text[start : start + size], text[start + size : end]))
        at += len(line)
    return random.Random(1).sample(found, min(number, len(found)))


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forward")
    parser.add_argument("backward")
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--gap", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    pair = load_pair(arguments.forward, arguments.backward)
    checkpoint = pair.forward.checkpoint
    corpus = pair.forward.read_own().corpus
    chosen = gaps("".join(corpus.split_texts("valid")), arguments.lines, arguments.gap)
    settings = {"temperature": 0.8, "length": arguments.gap, "min_length": arguments.gap, "unknown": "replace"}
    hits = {"forward alone, the piece": 0, "forward alone, with the right text": 0, "both": 0}
    for left, piece, right in chosen:
        proposals = write_many(
            checkpoint.model,
            checkpoint.tokenizer,
            seed=1,
            num=arguments.candidates,
            batch=64,
            prefix=left,
            config=SampleConfig(**settings, prefix_in_output=False),
        )
        likeliest = sorted({one.text: one.log_probability for one in proposals}.items(), key=lambda pair: -pair[1])
        found = pair.fill(left, right, seed=1, num=10_000, candidates=arguments.candidates, **settings)
        hits["forward alone, the piece"] += piece in [text for text, _ in likeliest[:5]]
        hits["forward alone, with the right text"] += piece in [
            one.text for one in sorted(found, key=lambda one: -one.forward)[:5]
        ]
        hits["both"] += piece in [one.text for one in found[:5]]
    print(f"torch {torch.__version__}; {len(chosen)} gaps of {arguments.gap}, {arguments.candidates} proposals\n")
    print("| ranked by | true piece among five |\n| --- | --- |")
    for name, count in hits.items():
        print(f"| {name} | {count} ({count / len(chosen):.1%}) |")


if __name__ == "__main__":
    main()
