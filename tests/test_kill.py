"""A run killed at a random moment, ten times over, goes on each time and ends as one that was never stopped."""

import random
import subprocess
import sys
import time
from pathlib import Path

import torch
from conftest import TEXT

from charlm.storage.checkpoint import load

OPTIONS = [
    "--steps",
    "4000",
    "--hidden",
    "24",
    "--batch-size",
    "4",
    "--dropout",
    "0.2",
    "--threads",
    "1",
    "--validations",
    "40",
]


def test_sigkill_ten_times_over(write) -> None:
    text = write(TEXT)
    chance = random.Random(1)
    start = [sys.executable, "-m", "charlm", "train", str(text), "--run", "runs/killed", *OPTIONS]
    go_on = [sys.executable, "-m", "charlm", "train", "--resume", "--run", "runs/killed"]
    kills = finished = 0
    while kills < 10 and not finished:
        fresh = not Path("runs/killed/config.json").exists()
        process = subprocess.Popen(start if fresh else go_on, stderr=subprocess.PIPE, text=True)
        # Half of the kills fall while the process starts and reads, half while it trains and saves.
        if chance.random() < 0.5:
            while not (Path("runs/killed/metrics.jsonl").exists() or process.poll() is not None):
                time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 2.5))
        process.kill()
        _, stderr = process.communicate()
        assert process.returncode in (-9, 0), stderr
        finished += process.returncode == 0
        kills += 1
    if not finished:
        subprocess.run(go_on, check=True, capture_output=True)
    whole = [*start[: -len(OPTIONS) - 1], "runs/whole", *OPTIONS]
    subprocess.run(whole, check=True, capture_output=True)
    killed, unbroken = (load(Path(f"runs/{name}/resume.safetensors")) for name in ("killed", "whole"))
    assert killed.training["step"] == unbroken.training["step"] == 4000
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(killed.model.state_dict()[name], value), name
