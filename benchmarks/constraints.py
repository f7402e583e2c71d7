"""How likely a model finds the texts that it writes under a constraint, next to its free texts.

    python benchmarks/constraints.py [TEXT] [--texts 1000] [--length 300] [--minutes 1] [--run RUN]
        [--only NAME] [--batch 8]

A model of TEXT (tinyshakespeare by default) is trained for a minute, or RUN is loaded. For each constraint it writes
`--texts` texts at temperature 1, which are all checked by other code than the sampler's, and their bits per character
by the model without a constraint are compared with those of as many free texts, the sum over all texts.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from results import Results, add_option
from runs import start, text_of

from charlm.files import cache_path

WORDS = {
    "the",
    "and",
    "to",
    "of",
    "my",
    "in",
    "is",
    "that",
    "me",
    "not",
    "with",
    "be",
    "this",
    "for",
    "his",
    "it",
    "he",
}
WORDS |= {"have", "king", "love", "death", "sweet", "good", "lord"}


@cache
def pronunciations() -> dict[str, list[str]]:
    """The first pronunciation of each word of the dictionary that `--syllables` has put into the cache."""
    words: dict[str, list[str]] = {}
    for line in (cache_path("lexicons") / "cmudict.dict").read_text().splitlines():
        word, *sounds = line.split("#")[0].split()
        words.setdefault(re.sub(r"\(\d+\)", "", word), sounds)
    return words


def spoken(line: str) -> list[list[str]]:
    """The sounds of the words of a line; raises `KeyError` for a word that is not in the dictionary."""
    found = pronunciations()
    words = re.findall("[a-z']+", line.lower())
    return [found[word] if word in found else found[word.strip("'")] for word in words if word.strip("'")]


def scans(text: str, syllables: tuple[int, ...]) -> bool:
    """Whether the lines of a text have these numbers of syllables."""
    lines = [line for line in text.split("\n") if line.strip()]
    return syllables == tuple(sum(sound[-1].isdigit() for word in spoken(line) for sound in word) for line in lines)


def rhymes(text: str, pairs: tuple[tuple[int, int], ...]) -> bool:
    """Whether these lines of a text end alike from their last stressed vowel on, but in different words."""
    lines = [line for line in text.split("\n") if line.strip()]
    endings = []
    for line in lines:
        sounds = spoken(line)[-1]
        vowels = [place for place, sound in enumerate(sounds) if sound[-1].isdigit()]
        stressed = [place for place in vowels if sounds[place][-1] != "0"] or vowels
        endings.append([sound.rstrip("012") for sound in sounds[stressed[-1] :]])
    last = [re.findall("[a-z']+", line.lower())[-1] for line in lines]
    return all(endings[one] == endings[other] and last[one] != last[other] for one, other in pairs)


CONSTRAINTS: dict[str, tuple[dict[str, object], Callable[[str], object]]] = {
    "free": ({}, lambda text: True),
    "--must-contain 'the king'": (
        {"must_contain": ("the king",)},
        lambda text: re.search(r"\bthe king\b", text),
    ),
    "--must-contain 'the purple king'": (
        {"must_contain": ("the purple king",)},
        lambda text: re.search(r"\bthe purple king\b", text),
    ),
    "--must-contain love --must-contain death": (
        {"must_contain": ("love", "death")},
        lambda text: re.search(r"\blove\b", text) and re.search(r"\bdeath\b", text),
    ),
    "--pattern, a speech of two lines and more": (
        {"pattern": "[A-Z]+:\n[A-Z][^\n]+(\n[A-Z][^\n]+)+[.!?]"},
        lambda text: re.fullmatch("[A-Z]+:\n[A-Z][^\n]+(\n[A-Z][^\n]+)+[.!?]", text),
    ),
    "--pattern, a line with love": (
        {"pattern": "[A-Z][^\n]* love[ ,.][^\n]*[.!?]"},
        lambda text: re.fullmatch("[A-Z][^\n]* love[ ,.][^\n]*[.!?]", text),
    ),
    "--lines 4": ({"lines": 4}, lambda text: sum(bool(line.strip()) for line in text.split("\n")) == 4),
    "--acrostic ROMEO": (
        {"acrostic": "ROMEO"},
        lambda text: "".join(line[0] for line in text.split("\n") if line).upper() == "ROMEO",
    ),
    "--words, 24 frequent ones": (
        {"words": tuple(WORDS)},
        lambda text: {word.lower() for word in re.findall("[A-Za-z]+", text)} <= WORDS,
    ),
    "--syllables 5/7/5": ({"syllables": (5, 7, 5)}, lambda text: scans(text, (5, 7, 5))),
    "--syllables 8/6 --rhyme ABAB": (
        {"syllables": (8, 6), "rhyme": "ABAB"},
        lambda text: scans(text, (8, 6, 8, 6)) and rhymes(text, ((0, 2), (1, 3))),
    ),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--run", help="a model, instead of training one")
    parser.add_argument("--only", default="", help="only the constraints with this in their name, and free text")
    add_option(parser)
    arguments = parser.parse_args()
    import charlm

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.run:
            model = charlm.load(arguments.run)
        else:
            run = str(Path(folder, "run"))
            model = charlm.train(arguments.text, run=run, minutes=arguments.minutes, threads=1, seed=1)
    results = Results("constraints", arguments.results, threads=1)
    print("| constraint | satisfied | bits/char | to free text | characters | seconds/text |")
    print("| --- | --- | --- | --- | --- | --- |")
    free = 0.0
    for name, (settings, holds) in CONSTRAINTS.items():
        if name != "free" and arguments.only not in name:
            continue
        started = time.perf_counter()
        texts = [
            *model.generate_many(
                seed=1,
                num=arguments.texts,
                batch=arguments.batch,
                temperature=1.0,
                length=arguments.length,
                **settings,  # type: ignore[arg-type]
            )
        ]
        seconds = (time.perf_counter() - started) / len(texts)
        characters = sum(text.characters for text in texts)
        bits = sum(text.bits_per_character * text.characters for text in texts) / characters
        satisfied = sum(bool(holds(text.text)) for text in texts)
        free = free or bits
        share, mean = bits / free - 1, characters / len(texts)
        print(f"| {name} | {satisfied:,} of {len(texts):,} | {bits:.3f} | {share:+.1%} | {mean:.0f} | {seconds:.2f} |")
        sys.stdout.flush()
        figures = {"satisfied": satisfied, "bits_per_character": bits, "characters": mean, "seconds": seconds}
        what = {"text": text_of(model), "constraint": name, "texts": len(texts), "length": arguments.length}
        results.add(what, figures, seed=1)


if __name__ == "__main__":
    start(main)
