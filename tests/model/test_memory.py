import platform
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_model_too_large_for_the_memory_is_an_error_and_leaves_the_old_one(
    text: Path, train_run, weights_of, same_weights
) -> None:
    """For real: the process may have no more than 6 GB."""
    train_run(steps=2)
    before = weights_of("runs/a", "model.safetensors")
    code = (
        "import resource, sys; from charlm import api\n"
        "from charlm.errors import CharlmError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))\n"
        "settings = {'model': {'hidden_size': 30000}, 'training': {'steps': 5}, 'auto': False}\n"
        "try: api.train_run(sys.argv[1], run='runs/a', overwrite=True, **settings)\n"
        "except CharlmError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(text)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("there is not enough memory (for ") and "lower --hidden" in done.stdout
    assert same_weights(weights_of("runs/a", "model.safetensors"), before)
    assert {path.name for path in Path("runs/a").iterdir()} >= {"resume.safetensors", "metrics.jsonl"}


def test_large_blocks_are_kept_for_the_next_step() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library")
    code = (
        "import resource, numpy; from charlm.model.memory import keep_memory\n"
        "def faults():\n"
        "    numpy.ones(10_000_000)\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(3): numpy.ones(10_000_000)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "print(faults()); keep_memory(); print(faults())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert kept < 20 < given_back
