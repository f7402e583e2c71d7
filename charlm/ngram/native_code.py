"""The handwritten C code, for what also works without it.

`native_library()` is None if there is no compiler, and in a charlm without its folder `native/`. `structures` has the
argument blocks, which only a caller of that code needs.
"""

import ctypes

try:
    from charlm.native import structures
    from charlm.native.library import native_library
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("charlm."):
        raise
    structures = None  # type: ignore[assignment]

    def native_library(*, portable: bool = False) -> ctypes.CDLL | None:  # type: ignore[misc]
        return None


__all__ = ["native_library", "structures"]
