"""The results of benchmarks as data: every measurement is a line of docs/results/NAME.jsonl.

A line is a JSON object:

commit    of the repository; with "modified" if charlm/ or benchmarks/ had changes that were not committed
code      a hash of the files of charlm/ that the figures depend on (`SOURCES`); null in lines that
          were taken from older notes
date      in UTC
machine   processor, cores, threads, instruction sets
versions  of charlm, Python, torch, numpy and the C compiler
seed      null if nothing is random
command   the whole command line
settings  what was measured: what tells a row of a table from all others
figures   what came out

`benchmarks/render.py` makes the tables of the docs from these files.
"""

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "results"

_NETWORK = ("cells", "kernels", "model", "native", "ngram", "tokenizers")
_TRAINING = (*_NETWORK, "api", "config", "data", "evaluation", "processes", "training")
_KERNELS = ("cells", "kernels", "model/layers.py", "native")
SOURCES = {
    "base": (*_TRAINING, "pretrained"),
    "cell_search": _TRAINING,
    "cells": _TRAINING,
    "clipping": _TRAINING,
    "compression": (*_TRAINING, "compression", "sampling"),
    "constraints": (*_NETWORK, "sampling"),
    "export": (*_NETWORK, "analysis/html", "evaluation", "export", "sampling"),
    "fill": (*_NETWORK, "sampling"),
    "gpu": _TRAINING,
    "kernels": _KERNELS,
    "kernels_memory": _KERNELS,
    "labels": _TRAINING,
    "large_text": _TRAINING,
    "match": _TRAINING,
    "minute": (*_TRAINING, "cli"),
    "networks": (*_TRAINING, "sampling"),
    "ngram": ("data", "native", "ngram", "tokenizers"),
    "peers": _TRAINING,
    "precision": _TRAINING,
    "processes": (*_TRAINING, "cli"),
    "sampling": (*_NETWORK, "sampling"),
    "sampling_cells": (*_NETWORK, "sampling"),
    "scoring": (*_NETWORK, "data", "evaluation"),
    "seeds": _TRAINING,
    "sentiment": (*_NETWORK, "analysis/probing", "evaluation", "pretrained", "sampling"),
    "serving": (*_TRAINING, "server"),
    "standard": _TRAINING,
    "surnames": _TRAINING,
    "time_to_quality": _TRAINING,
    "validation": _TRAINING,
    "variants": _TRAINING,
    "waiting": ("api", "data", "kernels", "model", "native", "training"),
    "words": _TRAINING,
    "write_page": (*_NETWORK, "analysis/html", "sampling", "server"),
}
"""The files and folders of charlm/ that the figures of each benchmark depend on. If one of them changes, the figures
are those of an older state of the program."""
ENVIRONMENT = ("CC", "CHARLM_NATIVE", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables that change what a benchmark measures, and so belong to its command line."""

INSTRUCTIONS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX-512 with bfloat16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "asimd": "NEON",
}
"""Instruction sets by the name of their processor flag; only the first of the AVX sets that is there is named."""

Record = dict[str, Any]


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option that every benchmark has."""
    parser.add_argument(
        "--results", type=Path, default=FOLDER, metavar="FOLDER", help="folder to append to, docs/results by default"
    )


class Results:
    """The results file of one benchmark."""

    def __init__(self, name: str, folder: Path, *, threads: int, instructions: str | None = None) -> None:
        """`name` is one of `SOURCES`; `threads` is how many threads what is measured may use. `instructions` are the
        instruction sets that it may use, if not all that the processor has."""
        self.path = folder / f"{name}.jsonl"
        self._head = {"commit": commit(), "code": code(name)}
        self._command = command()  # before the script goes to another folder
        self._machine = machine(threads) | ({"instructions": instructions} if instructions else {})

    def add(self, settings: Mapping[str, Any], figures: Mapping[str, Any], *, seed: int | None = None) -> None:
        """Append a measurement. Numbers are kept to seven digits."""
        record: Record = {
            **self._head,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": self._machine,
            "versions": versions(),
            "seed": seed,
            "command": self._command,
            "settings": dict(settings),
            "figures": _rounded(figures),
        }
        append(self.path, record)

    def get(
        self, settings: Mapping[str, Any], measure: Callable[[], dict[str, Any]], *, seed: int | None = None
    ) -> dict[str, Any]:
        """The figures of a measurement: those that are here already, or else new ones, which are added."""
        figures = self.find(settings, seed=seed)
        if figures is None:
            figures = measure()
            self.add(settings, figures, seed=seed)
        return figures

    def find(self, settings: Mapping[str, Any], *, seed: int | None = None) -> dict[str, Any] | None:
        """The figures of the last measurement of the same thing, on this machine and in this state of the program."""
        wanted = {"code": self._head["code"], "machine": self._machine, "seed": seed, "settings": dict(settings)}
        for record in reversed(read(self.path)):
            if all(record[name] == value for name, value in wanted.items()):
                figures: dict[str, Any] = record["figures"]
                return figures
        return None


def read(path: Path) -> list[Record]:
    """The lines of a results file, oldest first; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append(path: Path, record: Record) -> None:
    """Add a line to a results file. ValueError if a number is not finite."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def code(name: str, root: Path = ROOT) -> str:
    """A hash of what a benchmark's figures depend on: 16 hexadecimal digits over the paths and contents of its
    `SOURCES`."""
    paths: list[Path] = []
    for source in SOURCES[name]:
        path = root / "charlm" / source
        paths += [path] if path.is_file() else [below for below in path.rglob("*") if below.is_file()]
    total = hashlib.sha256()
    for path in sorted(path for path in paths if "__pycache__" not in path.parts):
        content = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()[:16]


@cache
def commit() -> str | None:
    """The commit that is checked out, with "modified" after it if it isn't what runs; None without git."""
    head = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if not head:
        return None
    changes = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", "charlm", "benchmarks")
    return f"{head} modified" if changes else head


def machine(threads: int) -> dict[str, Any]:
    """What this process runs on: the processor's name and instruction sets, the cores it may use, and its threads."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    model = facts.get("model name") or _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    if "cpu family" in facts:
        model += f" (family {facts['cpu family']}, model {facts['model']})"
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    sets = [title for flag, title in INSTRUCTIONS.items() if flag in flags]
    avx = [title for title in sets if title.startswith("AVX")][:1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": model or platform.machine(),
        "cores": cores,
        "instructions": ", ".join(avx + [title for title in sets if not title.startswith("AVX")]),
        "threads": threads,
    }


@cache
def versions() -> dict[str, str]:
    """The versions of what a benchmark runs on."""
    import charlm
    from charlm.native.compiler import compiler

    found = {"charlm": charlm.__version__, "Python": platform.python_version()}
    for package in ("torch", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    chosen = compiler()
    lines = _output(*shlex.split(chosen), "--version").splitlines() if chosen else []
    number = re.search(r"\d+\.\d+(\.\d+)?", lines[0]) if lines else None
    found["C compiler"] = f"{Path(shlex.split(chosen or '')[0]).name} {number[0]}" if number else "none"
    return found


def command() -> str:
    """The command line of this process, as it would be typed in the root of the repository."""
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(ROOT).as_posix() if script.is_relative_to(ROOT) else script.name
    variables = [f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ]
    return shlex.join([*variables, "python", name, *sys.argv[1:]])


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with seven digits each, also in lists."""

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.7g}")
        return [rounded(one) for one in value] if isinstance(value, list | tuple) else value

    return {name: rounded(value) for name, value in figures.items()}


def _output(*words: str) -> str:
    """What a command prints; nothing if it fails or isn't there."""
    with contextlib.suppress(OSError):
        done = subprocess.run(words, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""
