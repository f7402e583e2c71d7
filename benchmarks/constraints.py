"""How likely a model finds the texts that it writes under a constraint, next to its free texts.

    python benchmarks/constraints.py [TEXT] [--texts 1000] [--length 300] [--minutes 1] [--run RUN]

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
from pathlib import Path

import torch
from results import Results, add_option

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
        what = {"text": arguments.text, "constraint": name, "texts": len(texts), "length": arguments.length}
        results.add(what, figures, seed=1)


if __name__ == "__main__":
    main()
