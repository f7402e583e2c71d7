import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEXT
from small_runs import same, train, weights


def test_a_model_too_large_for_the_memory_is_an_error_and_leaves_the_old_one(write) -> None:
    """For real: the process may have no more than 6 GB."""
    text = write(TEXT)
    train(text, steps=2)
    before = weights("runs/a", "model.safetensors")
    code = (
        "import resource, sys; from charlm import api\n"
        "from charlm.config import TrainConfig; from charlm.errors import CharlmError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))\n"
        "settings = {'model': {'hidden_size': 30000}, 'training': TrainConfig(steps=5)}\n"
        "try: api.train(sys.argv[1], run='runs/a', overwrite=True, **settings)\n"
        "except CharlmError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(text)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("there is not enough memory (for ") and "lower --hidden" in done.stdout
    assert same(weights("runs/a", "model.safetensors"), before)
    assert {path.name for path in Path("runs/a").iterdir()} >= {"resume.safetensors", "metrics.jsonl"}


def test_large_blocks_are_kept_for_the_next_step() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library")
    code = (
        "import resource, sys, numpy; from charlm.training.memory import keep_memory\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "if sys.argv[1] == 'keep': keep_memory()\n"
        "numpy.ones(10_000_000)\n"
        "before = faults()\n"
        "for _ in range(3): numpy.ones(10_000_000)\n"
        "print(faults() - before)\n"
    )
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "give back")
    )
    assert kept < 20 < given_back
