"""Arrays in one compressed block of bytes, with a list of what is where; `page/sections.js` reads it."""

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Sections:
    """Collects arrays by name."""

    def __init__(self) -> None:
        self.index: list[dict[str, Any]] = []
        """For each array its name, kind and shape, in the order of the bytes."""
        self._parts: list[bytes] = []

    def add_singles(self, name: str, values: NDArray[Any]) -> None:
        """Add float32 numbers of any shape."""
        self._add(name, "singles", values.shape, values.astype("<f4").tobytes())

    def add_rows(self, name: str, scales: NDArray[np.float32], levels: NDArray[Any]) -> None:
        """Add a matrix as int8 or int16 `levels` (N, M), times a scale for each row, (N,)."""
        bits = 8 * levels.dtype.itemsize
        content = scales.astype("<f4").tobytes() + levels.astype(levels.dtype.newbyteorder("<")).tobytes()
        self._add(name, f"rows{bits}", levels.shape, content)

    def add_integers(self, name: str, values: NDArray[Any]) -> None:
        """Add numbers from 0 up: first the lowest byte of each, then, if one is above 255, the next byte, and so on."""
        values = values.astype(np.uint32)
        width = max(1, (int(values.max(initial=0)).bit_length() + 7) // 8)
        planes = [((values >> (8 * plane)) & 255).astype(np.uint8).tobytes() for plane in range(width)]
        self._add(name, f"integers{width}", values.shape, b"".join(planes))

    def add_text(self, name: str, text: str) -> None:
        """Add a text."""
        content = text.encode()
        self._add(name, "text", (len(content),), content)

    def _add(self, name: str, kind: str, shape: tuple[int, ...], content: bytes) -> None:
        self.index.append({"name": name, "kind": kind, "shape": list(shape)})
        self._parts.append(content)

    def compressed(self, level: int = 9) -> str:
        """All arrays, compressed by raw deflate (RFC 1951), in base64."""
        compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        return base64.b64encode(compressor.compress(b"".join(self._parts)) + compressor.flush()).decode()
