"""A run that is killed at random moments can be resumed each time, and ends as one that was never killed."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

OPTIONS = [
    "--steps",
    "1000",
    "--hidden",
    "8",
    "--ngram-order",
    "0",
    "--batch-size",
    "2",
    "--seq-len",
    "16",
    "--dropout",
    "0.2",
    "--validations",
    "25",
]
MOMENTS = ("starting", "training", "saving", "training", "saving")


def changes(path: Path, wanted: int) -> Callable[[], bool]:
    """Whether a file that is looked at again and again has changed so many times."""
    seen = set()

    def changed() -> bool:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        return len(seen) > wanted

    return changed


def test_a_run_that_is_killed_ten_times(text: Path, start, weights_of, same_weights, records_of) -> None:
    chance = random.Random(1)
    folder = Path("runs/killed")
    begun, saved, reached = [], 0, []
    for moment in 2 * MOMENTS:
        begun.append((folder / "config.json").exists())
        child = start("train", "--run", folder, *(["--resume"] if begun[-1] else [text, *OPTIONS]))
        if moment == "starting":
            time.sleep(chance.uniform(0, 0.05))
        else:
            child.wait_for(changes(folder / "metrics.jsonl", chance.randint(3, 9)))
        if moment == "saving":
            child.wait_for(lambda: any(folder.glob(".*.tmp")))
        elif moment == "training":
            time.sleep(chance.uniform(0, 0.01))
        child.send(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, "it ended before it was killed"
        saved += any(folder.glob(".*.tmp"))
        if moment != "starting":
            reached.append(records_of(folder, "step")[-1]["step"])
    assert begun.count(True) >= 8 and saved >= 1
    assert min(reached) > 0 and max(reached) < 1000 and len(set(reached)) > 1  # a kill loses the steps since a save
    assert start("train", "--resume", "--run", folder).wait() == 0
    assert start("train", text, "--run", "runs/whole", *OPTIONS).wait() == 0
    for name in ("model.safetensors", "resume.safetensors"):
        assert same_weights(weights_of("runs/killed", name), weights_of("runs/whole", name))
    clock = {"seconds": None}
    killed, whole = ([record | clock for record in records_of(f"runs/{name}")] for name in ("killed", "whole"))
    assert killed == whole and whole[-1]["step"] == 1000
    assert (folder / "samples.txt").read_text() == Path("runs/whole/samples.txt").read_text()
