"""Builds the wheel: with CHARLM_PREBUILT=1, as set by `make wheel`, it contains compiled code for its platform.

Otherwise, and in an editable installation, the wheel is one for all platforms, and charlm compiles at first use.
"""

import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_OLDEST_GLIBC = 17  # the oldest that a platform tag can name


class PrebuiltHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the C sources for every variant of this machine's architecture."""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling."""
        if version == "editable" or os.environ.get("CHARLM_PREBUILT") != "1":
            return
        sys.path.insert(0, self.root)
        from charlm.kernels import PROGRAMS
        from charlm.kernels.compiled import write_c
        from charlm.kernels.program import CONVOLUTION, TRANSFORMER
        from charlm.native import library
        from charlm.native.compiler import build_libraries
        from charlm.native.prebuilt import FOLDER, PORTABLE, VARIANTS

        if platform.system() != "Linux" or platform.machine() not in VARIANTS:
            raise SystemExit(f"wheels with compiled code are built on Linux on {' or '.join(VARIANTS)}, not here")
        functions = [*(program.functions for program in PROGRAMS.values()), CONVOLUTION, TRANSFORMER]
        fast = [library.SOURCE, *map(write_c, functions)]
        sources = dict.fromkeys([*fast, *(PORTABLE + source for source in fast)])
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        build_libraries(sources, folder)
        glibc = max(_OLDEST_GLIBC, *map(_needed_glibc, folder.glob("*.so")))
        build_data["force_include"][str(folder)] = str(FOLDER.relative_to(self.root))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_{glibc}_{platform.machine()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """See hatchling."""
        if self._folder is not None:
            self._folder.cleanup()


def _needed_glibc(library: Path) -> int:
    """x of the highest version GLIBC_2.x that a library names."""
    return max(int(number) for number in re.findall(rb"GLIBC_2\.(\d+)", library.read_bytes()))
