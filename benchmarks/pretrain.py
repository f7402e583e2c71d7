"""Make the model of reviews that ships with charlm: `charlm/pretrained/reviews`.

    python benchmarks/pretrain.py FOLDER [--minutes 120] [--threads 2]

fetches the reviews into FOLDER (see `benchmarks/reviews.py`), trains on those of `train.txt`, saves the weights in 16
bits, and finds the direction of sentiment with the labels of `train.tsv`. An interrupted training goes on when the
command is given again.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import reviews

from charlm.checkpoint import load, save
from charlm.runs import MODEL, PRETRAINED

TRAIN = (
    *("--documents", "line", "--splits", "98/2/0", "--tokenizer", "subword", "--vocab-size", "2300"),
    *("--cell", "mlstm", "--hidden", "512", "--embedding", "512", "--tie-weights", "--ngram-order", "0"),
    *("--batch-size", "32", "--seq-len", "128", "--dropout", "0.1", "--learning-rate", "0.003"),
)


def charlm(*words: str | Path) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "charlm", *map(str, words)], check=True)


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", default="120")
    parser.add_argument("--threads", default="2")
    given = parser.parse_args()
    if not (given.folder / "train.txt").exists():
        reviews.write(given.folder)
    run = given.folder / "run"
    if (run / "resume.safetensors").exists():
        charlm("train", "--resume", "--run", run)
    else:
        length = ("--minutes", given.minutes, "--threads", given.threads)
        charlm("train", given.folder / "train.txt", *TRAIN, *length, "--run", run)
    place = PRETRAINED / "reviews"
    shutil.rmtree(place / "directions", ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    save(place / MODEL, load(run / MODEL), half=True)
    labelled = ("--labelled", given.folder / "train.tsv", "--test", given.folder / "test.tsv")
    charlm("probe", place / MODEL, *labelled, "--name", "sentiment")


if __name__ == "__main__":
    main()
