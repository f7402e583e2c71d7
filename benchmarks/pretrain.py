"""Make the bundled models again; each replaces the one in charlm/pretrained.

    python benchmarks/pretrain.py reviews FOLDER [--minutes 70 33] [--threads 1 2]
    python benchmarks/pretrain.py english FOLDER [--steps 8000] [--threads 1]

reviews    Fetches the reviews into FOLDER (see `benchmarks/reviews.py`), trains on `train.txt`, and finds the direction
           of sentiment with the labels of `train.tsv`. Training has a leg for each number of minutes, and each leg
           begins with the weights of the one before.
english    Trains on the texts in FOLDER/train and validates on those in FOLDER/valid, which `english_text.py` writes.

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

TRAIN = shlex.split("""
    --documents line --splits 98/2/0 --tokenizer subword --vocab-size 2300
    --cell mlstm --hidden 512 --embedding 512 --tie-weights --ngram-order 0
    --batch-size 32 --seq-len 128 --dropout 0.1
""")
LATER = shlex.split("--documents line --splits 98/2/0 --batch-size 32 --seq-len 128 --weight-decay 0.01")
ENGLISH = shlex.split("""
    --documents file --splits 100/0/0 --init-from none --hidden 768 --embedding 64 --ngram-order 0 --context-vectors 0
    --no-match --dropout 0 --weight-dropout 0 --batch-size 64 --seq-len 128 --optimizer muon --learning-rate 0.003
    --weight-decay 0.01 --averaging 0.1 --validations 60 --seed 1
""")
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


def make_reviews(folder: Path, minutes: list[str], threads: list[str]) -> None:
    """Train the model of film reviews, and find the direction of sentiment."""
    if not (folder / "test.txt").exists():
        reviews.write(folder)
    run = None
    for leg, (own_minutes, own_threads) in enumerate(zip(minutes, threads, strict=True)):
        before, run = run, folder / f"leg-{leg + 1}"
        options = TRAIN if before is None else (*LATER, "--init-from", before)
        length = ("--learning-rate", RATES[min(leg, 1)], "--minutes", own_minutes, "--threads", own_threads)
        train(run, folder / "train.txt", *options, *length)
    assert run is not None
    shutil.rmtree(PRETRAINED / "reviews" / "directions", ignore_errors=True)
    model = bundle(run, "reviews")
    charlm("probe", model, "--labelled", folder / "train.tsv", "--test", folder / "test.tsv", "--name", "sentiment")


def make_english(folder: Path, steps: int, threads: str) -> None:
    """Train the model of English."""
    run, length = folder / "run", ("--steps", str(steps), "--threads", threads)
    train(run, folder / "train", "--valid", folder / "valid", *ENGLISH, *length)
    bundle(run, "english")


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["reviews", "english"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", nargs="+", default=["70", "33"], help="of each leg of reviews")
    parser.add_argument("--steps", type=int, default=8000, help="of english")
    parser.add_argument("--threads", nargs="+", default=["1", "2"], help="of each leg; english has one")
    arguments = parser.parse_args()
    if arguments.name == "reviews":
        make_reviews(arguments.folder, arguments.minutes, arguments.threads)
    else:
        make_english(arguments.folder, arguments.steps, arguments.threads[0])


if __name__ == "__main__":
    start(main)
