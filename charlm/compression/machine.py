"""What the probabilities of a model depend on when they are not portable."""

import hashlib
import platform
from pathlib import Path

import torch

from charlm import __version__
from charlm.ngram.native_code import native_library


def machine() -> str:
    """A line that differs if the last bits of a model's probabilities may: processor, programs, threads."""
    code = native_library()
    name = "none" if code is None else hashlib.sha256(Path(code._name).name.encode()).hexdigest()[:8]
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{platform.machine()} {capability}, charlm {__version__}, torch {torch.__version__}, code {name}, "
        f"{torch.get_num_threads()} threads"
    )
