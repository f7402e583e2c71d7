"""Make the bundled model of film reviews, charlm/pretrained/reviews; this replaces the model that is there.

    python benchmarks/pretrain.py FOLDER [--minutes 70 33] [--threads 1 2]

Fetches the reviews into FOLDER (see `benchmarks/reviews.py`), trains on `train.txt`, saves the weights in 16 bits, and
finds the direction of sentiment with the labels of `train.tsv`. Training has a leg for each number of minutes, and each
leg begins with the weights of the one before. If the command is repeated, a leg that was interrupted is resumed, and
one that has ended is kept.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import reviews

from charlm.files import MODEL_FILE
from charlm.storage.checkpoint import load, save
from charlm.storage.runs import PRETRAINED

TRAIN = shlex.split("""
    --documents line --splits 98/2/0 --tokenizer subword --vocab-size 2300
    --cell mlstm --hidden 512 --embedding 512 --tie-weights --ngram-order 0
    --batch-size 32 --seq-len 128 --dropout 0.1
""")
LATER = shlex.split("--documents line --splits 98/2/0 --batch-size 32 --seq-len 128 --weight-decay 0.01")
RATES = ("0.003", "0.002")
"""Learning rate of the first leg, and of those after it."""


def charlm(*words: str | Path) -> None:
    """Run a command of charlm."""
    subprocess.run([sys.executable, "-m", "charlm", *map(str, words)], check=True)


def ended(run: Path) -> bool:
    """Whether a run has reached its end: the metrics then have a progress of 1."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return any(record.get("progress", 0) >= 1 for record in map(json.loads, lines))


def main() -> None:
    """Train, save and probe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", nargs="+", default=["70", "33"])
    parser.add_argument("--threads", nargs="+", default=["1", "2"])
    arguments = parser.parse_args()
    if not (arguments.folder / "test.txt").exists():
        reviews.write(arguments.folder)
    run = None
    for leg, (minutes, threads) in enumerate(zip(arguments.minutes, arguments.threads, strict=True)):
        before, run = run, arguments.folder / f"leg-{leg + 1}"
        options = TRAIN if before is None else (*LATER, "--init-from", before)
        length = ("--learning-rate", RATES[min(leg, 1)], "--minutes", minutes, "--threads", threads)
        if not (run / "config.json").exists():
            charlm("train", arguments.folder / "train.txt", *options, *length, "--run", run)
        elif not ended(run):
            charlm("train", "--resume", "--run", run)
    assert run is not None
    bundled = PRETRAINED / "reviews"
    shutil.rmtree(bundled / "directions", ignore_errors=True)
    bundled.mkdir(parents=True, exist_ok=True)
    save(bundled / MODEL_FILE, load(run / MODEL_FILE), half=True)
    labelled = ("--labelled", arguments.folder / "train.tsv", "--test", arguments.folder / "test.tsv")
    charlm("probe", bundled / MODEL_FILE, *labelled, "--name", "sentiment")


if __name__ == "__main__":
    main()
