"""How often the true text is among five fillings of a gap: a search from both sides, against the forward model alone.

    python benchmarks/fill.py FORWARD BACKWARD [--lines 200] [--gap 12] [--candidates 512] [--samples 512 1024]

Makes the rows of docs/benchmarks.md, section "Filling gaps". FORWARD and BACKWARD are runs on the same text,
one for each reading direction. Gaps of twelve characters are cut into the middle of lines of its validation split. The
left text is the 200 characters before the gap, the right text the rest of the line and the next line.

The search joins texts from both sides, and both models score the candidates. The forward model alone samples texts at
temperature 0.8, and ranks them by the probability of the filling, or of the filling and the right text. A second round
has gaps of 1 to 24 characters, every length equally frequent and not given; there the samples are cut to all of these
lengths.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

import torch
from results import Results, add_option
from runs import start

from charlm.loading import load_infill_models
from charlm.sampling import SampleConfig, generate_many
from charlm.sampling.infill.fill import FillConfig
from charlm.sampling.infill.rerank import log_probabilities
from charlm.text_model import TextModel

Fill = Callable[[str, str, int, int], dict[str, list[str]]]
"""From left text, right text, least and greatest length to fillings, best first, by the name of their ranking."""


def gaps(text: str, number: int, size: int, *, varied: bool = False) -> list[tuple[str, str, str]]:
    """Left text, true text and right text of gaps in lines that are chosen at random with seed 1.

    Gaps have `size` characters; if `varied`, 1 to twice as many, every length equally likely.
    """
    possible, at, lengths = [], 0, random.Random(2)
    for line in text.splitlines(keepends=True):
        length = lengths.randint(1, 2 * size) if varied else size
        start = at + (len(line) - length) // 2
        if len(line) > 3 * size and at > 200:
            end = text.find("\n", at + len(line))
            possible.append((text[start - 200 : start], text[start : start + length], text[start + length : end]))
        at += len(line)
    if not possible:
        sys.exit(f"no line of the validation split has more than {3 * size} characters and 200 before it")
    return random.Random(1).sample(possible, min(number, len(possible)))


def by_sampling(forward: TextModel, samples: int) -> Fill:
    """Fill with the forward model alone."""
    model, tokenizer = forward.model, forward.tokenizer

    def ranked(left: str, right: str, least: int, most: int) -> dict[str, list[str]]:
        config = SampleConfig(temperature=0.8, length=most, min_length=most, unknown="replace", prefix_in_output=False)
        generated = generate_many(model, tokenizer, seed=1, num=samples, batch=64, prefix=left, config=config)
        cut = [one.text[: least + index % (most - least + 1)] for index, one in enumerate(generated)]
        texts = list(dict.fromkeys(cut))
        before = [tokenizer.bos, *tokenizer.encode(left, unknown="replace").tolist()]
        fillings = {}
        for ranking, after in (("the filling", ""), ("filling and right text", right)):
            rows = [tokenizer.encode(text + after, unknown="replace").tolist() for text in texts]
            scores = dict(zip(texts, log_probabilities(model, before, rows).tolist(), strict=True))
            fillings[ranking] = sorted(texts, key=lambda text: -scores[text])
        return fillings

    return ranked


def by_search(forward: TextModel, backward: TextModel, candidates: int) -> Fill:
    """Fill with both models."""

    def ranked(left: str, right: str, least: int, most: int) -> dict[str, list[str]]:
        config = FillConfig(length=most, min_length=least, candidates=candidates, unknown="replace")
        return {"both models": [filling.text for filling in forward.fill(backward, left, right, config=config)]}

    return ranked


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forward")
    parser.add_argument("backward")
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--gap", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=512)
    parser.add_argument("--samples", type=int, nargs="+", default=[512, 1024])
    add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = Results("fill", arguments.results, threads=1)
    forward, backward = load_infill_models(arguments.forward, arguments.backward)
    corpus = forward.read().corpus
    valid = "".join(corpus.split_texts("valid"))
    methods = {
        f"search from both sides, {arguments.candidates} scored": by_search(forward, backward, arguments.candidates)
    }
    methods |= {f"forward model, {samples} samples": by_sampling(forward, samples) for samples in arguments.samples}
    print(f"torch {torch.__version__}; one thread; at most {arguments.lines} gaps\n")
    print("| length | candidates | ranked by | true text among five | seconds per gap |")
    print("| --- | --- | --- | --- | --- |")
    for least, most in ((arguments.gap, arguments.gap), (1, 2 * arguments.gap)):
        chosen = gaps(valid, arguments.lines, arguments.gap, varied=least < most)
        length = str(least) if least == most else f"{least} to {most}"
        for name, fill in methods.items():
            hits = Counter[str]()
            start = time.perf_counter()
            for left, true_text, right in chosen:
                for ranking, texts in fill(left, right, least, most).items():
                    hits[ranking] += true_text in texts[:5]
            seconds = (time.perf_counter() - start) / len(chosen)
            for ranking, count in hits.items():
                share = f"{count} ({count / len(chosen):.1%})"
                print(f"| {length} | {name} | {ranking} | {share} | {seconds:.2f} |", flush=True)
                settings = {"text": corpus.name, "length": length, "candidates": name, "ranking": ranking}
                figures = {"hits": count, "seconds_per_gap": seconds}
                results.add(settings | {"gaps": len(chosen)}, figures, seed=1)


if __name__ == "__main__":
    start(main)
