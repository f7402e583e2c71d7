"""Make the bundled models again; each replaces the one in charlm/pretrained.

    python benchmarks/pretrain.py reviews FOLDER [--minutes 70 33] [--threads 1 2]
    python benchmarks/pretrain.py english FOLDER [--steps 8000 7400] [--threads 1 2]

reviews    Fetches the reviews into FOLDER (see `benchmarks/reviews.py`), trains on `train.txt`, and finds the direction
           of sentiment with the labels of `train.tsv`.
english    Trains on the texts in FOLDER/train and validates on those in FOLDER/valid, which `english_text.py` writes.

Training has a leg for each length, and each leg begins with the weights of the one before.

The weights are saved in 16 bits. If a command is repeated, a run that was interrupted is resumed, and one that has
ended is kept.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import reviews
from runs import start

from charlm.files import MODEL_FILE
from charlm.storage.checkpoint import load, save
from charlm.storage.runs import PRETRAINED

REVIEWS = shlex.split("""
    --documents line --splits 98/2/0 --tokenizer subword --vocab-size 2300
    --cell mlstm --hidden 512 --embedding 512 --tie-weights --ngram-order 0
    --batch-size 32 --seq-len 128 --dropout 0.1
""")
REVIEWS_LATER = shlex.split("--documents line --splits 98/2/0 --batch-size 32 --seq-len 128 --weight-decay 0.01")
ENGLISH_ALWAYS = shlex.split("""
    --documents file --splits 100/0/0 --ngram-order 0 --context-vectors 0 --no-match --dropout 0 --weight-dropout 0
    --batch-size 64 --seq-len 128 --optimizer muon --weight-decay 0.01 --averaging 0.1
""")
ENGLISH = [*ENGLISH_ALWAYS, *shlex.split("--init-from none --hidden 768 --embedding 64 --validations 60 --seed 1")]
ENGLISH_LATER = [*ENGLISH_ALWAYS, *shlex.split("--validations 40 --seed 2")]
RATES = ("0.003", "0.002")
"""Learning rate of the first leg, and of those after it."""


def charlm(*words: str | Path) -> None:
    """Run a command of charlm."""
    subprocess.run([sys.executable, "-m", "charlm", *map(str, words)], check=True)


def ended(run: Path) -> bool:
    """Whether a run has reached its end: the metrics then have a progress of 1."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return any(record.get("progress", 0) >= 1 for record in map(json.loads, lines))


def train(run: Path, text: Path, *options: str | Path) -> None:
    """Train a run to its end, or continue it if it exists."""
    if not (run / "config.json").exists():
        charlm("train", text, *options, "--run", run)
    elif not ended(run):
        charlm("train", "--resume", "--run", run)


def bundle(run: Path, name: str) -> Path:
    """Save the model of a run as a bundled one."""
    bundled = PRETRAINED / name
    bundled.mkdir(parents=True, exist_ok=True)
    save(bundled / MODEL_FILE, load(run / MODEL_FILE), half=True)
    return bundled / MODEL_FILE


def train_legs(folder: Path, first: list[str], later: list[str], lengths: list[list[str]], *text: str | Path) -> Path:
    """Train each leg on a text to its end, with the options of the first or of later ones; the run of the last."""
    run = None
    for leg, length in enumerate(lengths):
        before, run = run, folder / f"leg-{leg + 1}"
        options = first if before is None else [*later, "--init-from", str(before)]
        train(run, *text, *options, "--learning-rate", RATES[min(leg, 1)], *length)
    assert run is not None
    return run


def make_reviews(folder: Path, lengths: list[list[str]]) -> None:
    """Train the model of film reviews, and find the direction of sentiment."""
    if not (folder / "test.txt").exists():
        reviews.write(folder)
    run = train_legs(folder, REVIEWS, REVIEWS_LATER, lengths, folder / "train.txt")
    shutil.rmtree(PRETRAINED / "reviews" / "directions", ignore_errors=True)
    model = bundle(run, "reviews")
    charlm("probe", model, "--labelled", folder / "train.tsv", "--test", folder / "test.tsv", "--name", "sentiment")


def make_english(folder: Path, lengths: list[list[str]]) -> None:
    """Train the model of English."""
    run = train_legs(folder, ENGLISH, ENGLISH_LATER, lengths, folder / "train", "--valid", folder / "valid")
    bundle(run, "english")


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["reviews", "english"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", nargs="+", default=["70", "33"], help="of each leg of reviews")
    parser.add_argument("--steps", nargs="+", default=["8000", "7400"], help="of each leg of english")
    parser.add_argument("--threads", nargs="+", default=["1", "2"], help="of each leg")
    arguments = parser.parse_args()
    option, make = ("steps", make_english) if arguments.name == "english" else ("minutes", make_reviews)
    legs = zip(getattr(arguments, option), arguments.threads, strict=True)
    make(arguments.folder, [[f"--{option}", length, "--threads", threads] for length, threads in legs])


if __name__ == "__main__":
    start(main)
