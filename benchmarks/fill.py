"""How often the true piece is among five fillings of a gap: a search from both sides, against the forward model alone.

    python benchmarks/fill.py FORWARD BACKWARD [--lines 200] [--gap 12] [--candidates 512] [--samples 512 1024]

FORWARD and BACKWARD are runs on the same text. From lines of its validation part twelve characters are cut out of the
middle; 200 characters before the gap and what follows it on the line and the next one are given. The forward model
alone samples texts at temperature 0.8, which are ranked by their own probability, or by that of them and of the right
text; the search joins pieces from both sides, and both models judge as many candidates. Then the same for pieces of one
to 24 characters, one length as often as another, of which no more is told; the samples are cut to all these lengths.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable

import torch

from charlm.sampling import SampleConfig, write_many
from charlm.sampling.infill.rerank import log_probabilities
from charlm.text_model import InfillModels, load_infill_models

Ranked = Callable[[str, str, int, int], dict[str, list[str]]]
"""From left, right, least and greatest length to texts, the best first, by what they are ranked by."""


def gaps(text: str, number: int, size: int, *, even: bool = False) -> list[tuple[str, str, str]]:
    """Left side, piece and right side, from lines chosen at random with seed 1.

    Extensions have `size` characters, or `even`, any number from 1 to twice of it, one as often as another.
    """
    found, at, lengths = [], 0, random.Random(2)
    for line in text.splitlines(keepends=True):
        own = lengths.randint(1, 2 * size) if even else size
        start = at + (len(line) - own) // 2
        if len(line) > 3 * size and at > 200:
            end = text.find("\n", at + len(line))
            found.append((text[start - 200 : start], text[start : start + own], text[start + own : end]))
        at += len(line)
    return random.Random(1).sample(found, min(number, len(found)))


def sampled(pair: InfillModels, samples: int) -> Ranked:
    """By the forward model alone."""
    model, tokenizer = pair.forward.checkpoint.model, pair.forward.checkpoint.tokenizer

    def ranked(left: str, right: str, least: int, most: int) -> dict[str, list[str]]:
        config = SampleConfig(temperature=0.8, length=most, min_length=most, unknown="replace", prefix_in_output=False)
        written = write_many(model, tokenizer, seed=1, num=samples, batch=64, prefix=left, config=config)
        cut = [one.text[: least + index % (most - least + 1)] for index, one in enumerate(written)]
        texts = list(dict.fromkeys(cut))
        given = [tokenizer.bos, *tokenizer.encode(left, unknown="replace").tolist()]
        found = {}
        for name, after in (("the piece", ""), ("piece and right text", right)):
            rows = [tokenizer.encode(text + after, unknown="replace").tolist() for text in texts]
            scores = dict(zip(texts, log_probabilities(model, given, rows).tolist(), strict=True))
            found[name] = sorted(texts, key=lambda text: -scores[text])
        return found

    return ranked


def searched(pair: InfillModels, candidates: int) -> Ranked:
    """By both models."""

    def ranked(left: str, right: str, least: int, most: int) -> dict[str, list[str]]:
        found = pair.fill(left, right, length=most, min_length=least, candidates=candidates, unknown="replace")
        return {"both models": [one.text for one in found]}

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
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pair = load_infill_models(arguments.forward, arguments.backward)
    valid = "".join(pair.forward.read_own().corpus.split_texts("valid"))
    ways = {f"search from both sides, {arguments.candidates} judged": searched(pair, arguments.candidates)}
    ways |= {f"forward model, {samples} samples": sampled(pair, samples) for samples in arguments.samples}
    print(f"torch {torch.__version__}; one thread; {arguments.lines} gaps\n")
    print(
        "| length | candidates | ranked by | true piece among five | seconds a gap |\n| --- | --- | --- | --- | --- |"
    )
    for least, most in ((arguments.gap, arguments.gap), (1, 2 * arguments.gap)):
        chosen = gaps(valid, arguments.lines, arguments.gap, even=least < most)
        length = str(least) if least == most else f"{least} to {most}"
        for name, ranked in ways.items():
            hits = Counter[str]()
            start = time.perf_counter()
            for left, piece, right in chosen:
                for judges, texts in ranked(left, right, least, most).items():
                    hits[judges] += piece in texts[:5]
            seconds = (time.perf_counter() - start) / len(chosen)
            for judges, count in hits.items():
                share = f"{count} ({count / len(chosen):.1%})"
                print(f"| {length} | {name} | {judges} | {share} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
