"""What the probabilities of a model depend on when they are not portable."""

import hashlib
import platform
from pathlib import Path

import torch

from charlm import __version__
from charlm.ngram.native_code import native_library


def machine() -> str:
    """A short line that differs if the last bits of a model's probabilities may: processor, programs, threads."""
    code = native_library()
    programs = (__version__, torch.__version__, "" if code is None else Path(code._name).name)
    name = hashlib.sha256("\0".join(programs).encode()).hexdigest()[:6]
    version, capability = torch.__version__.partition("+")[0], torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {capability} torch {version} code {name} threads {torch.get_num_threads()}"
