"""Libraries that were compiled when charlm's wheel was built: for each C source one for each kind of processor.

`make wheel` puts them next to this file, with their checksums. A clone of the repository has none.
"""

import ctypes
import hashlib
import logging
import os
import platform
from functools import cache
from pathlib import Path
from typing import NamedTuple

from charlm.files import parse_object

logger = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "sources"
"""The C sources and headers; generated code includes the headers by name."""
FOLDER = Path(__file__).parent / "prebuilt"
"""The libraries of a wheel, which may not exist."""
CHECKSUMS = "checksums.json"
"""The file in `FOLDER` with the size and hash of each library."""


PORTABLE = "/* portable */\n"
"""The first line of a source whose numbers must not depend on the machine, down to the last bit.

It is compiled without fused multiply-add. Every column of a product has sums of its own, in an order that is fixed for
a single text however wide vectors are, and functions such as exp are charlm's (`functions.h`).
"""


def source_flags(source: str) -> tuple[str, ...]:
    """The flags that a source needs besides those of all."""
    return ("-ffp-contract=off",) if source.startswith(PORTABLE) else ()


class Variant(NamedTuple):
    """A kind of processor."""

    name: str
    flags: tuple[str, ...]
    """What tells GCC or clang to compile for it."""
    needs: str
    """What such a processor has, in the words of /proc/cpuinfo."""


_V2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
_V3 = f"{_V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
_V4 = f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl"
_BF16 = f"{_V4} avx512_bf16"

VARIANTS: dict[str, tuple[Variant, ...]] = {
    "x86_64": (
        Variant("amx", ("-march=x86-64-v4", "-mavx512bf16", "-mamx-tile", "-mamx-bf16"), f"{_BF16} amx_tile amx_bf16"),
        Variant("v4-bf16", ("-march=x86-64-v4", "-mavx512bf16"), _BF16),
        Variant("v4", ("-march=x86-64-v4",), _V4),
        Variant("v3", ("-march=x86-64-v3",), _V3),
        Variant("v2", ("-march=x86-64-v2",), _V2),
    ),
    "aarch64": (Variant("neon", ("-march=armv8-a",), "asimd"),),
}
"""For each architecture the kinds of processors, the most capable first."""


@cache
def included() -> str:
    """The text of every file that a source can include."""
    paths = sorted([*SOURCES.glob("*.h"), *SOURCES.glob("*.c")])
    return "\0".join(path.read_text(encoding="ascii") for path in paths)


def library_facts(content: bytes) -> dict[str, int | str]:
    """What is known of a library, to be compared before it is loaded."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def file_name(source: str, variant: Variant) -> str:
    """The name of a library: it changes with the source and with what the source includes."""
    key = hashlib.sha256("\0".join((source, included())).encode()).hexdigest()
    return f"{key[:20]}.{variant.name}.so"


def processor_facts() -> dict[str, str]:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def supported(machine: str, facts: dict[str, str]) -> list[Variant]:
    """The variants that run on a processor, the best first."""
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return [variant for variant in VARIANTS.get(machine, ()) if flags.issuperset(variant.needs.split())]


@cache
def chosen_variant() -> Variant | None:
    """The best variant for this machine; None without prebuilt libraries, or if CHARLM_NATIVE turns them off."""
    if os.environ.get("CHARLM_NATIVE") in ("0", "compile") or not (FOLDER / CHECKSUMS).exists():
        return None
    return next(iter(supported(platform.machine(), processor_facts())), None)


def prebuilt_library(source: str) -> ctypes.CDLL | None:
    """The library of a source for this machine; None if there is none, or if it is damaged."""
    if (variant := chosen_variant()) is None:
        return None
    import torch  # noqa: F401  # its libraries have the OpenMP and mathematical functions that are called

    path = FOLDER / file_name(source, variant)
    try:
        known = parse_object((FOLDER / CHECKSUMS).read_bytes()).get(path.name)
        if known is None:
            return None
        if library_facts(path.read_bytes()) != known:
            raise OSError(f"{path} is not as it was built")
        return ctypes.CDLL(str(path))
    except (OSError, ValueError) as error:
        logger.warning("a compiled library of this installation can't be used (%s); install charlm again", error)
        return None
