"""The handwritten C code as one library: n-gram tries, matches, the sampling step, attention, drawing and coding."""

import ctypes
from ctypes import c_int64, c_long, c_void_p
from functools import cache
from typing import Any

from charlm.native.compiler import shared_library
from charlm.native.prebuilt import PORTABLE
from charlm.native.structures import Attention, Coder, Draw, Norm, Operation, Step

_FILES = ("trie.c", "match.c", "step.c", "attention.c", "draw.c", "coder.c")
SOURCE = "".join(f'#include "{name}"\n' for name in _FILES)
"""All handwritten C code."""
_ARGUMENTS: dict[str, list[Any]] = {
    "trie_advance": [c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p],
    "trie_known_contexts": [c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p],
    "trie_mixture": [c_void_p, c_void_p, c_int64] + [c_void_p] * 7,
    "match_advance": [c_void_p, c_void_p, c_int64, c_void_p, c_int64, c_int64, c_void_p],
    "sampler_step": [c_void_p, c_void_p],
    "norm_rows": [c_void_p] + [c_long] * 4,
    "attend": [c_void_p] + [c_long] * 4,
    "sampler_draw": [c_void_p],
    "coder_frequencies": [c_void_p, c_int64, c_void_p],
    "coder_encode": [c_void_p, c_int64, c_int64, c_int64],
    "coder_encode_token": [c_void_p, c_void_p, c_int64, c_int64],
    "coder_decode": [c_void_p, c_int64],
    "coder_consume": [c_void_p, c_int64, c_int64, c_int64],
    "coder_decode_token": [c_void_p, c_void_p, c_int64],
    "max_order": [],
    "max_mixed_orders": [],
    "sizeof_operation": [],
    "sizeof_step": [],
    "sizeof_norm": [],
    "sizeof_attention": [],
    "sizeof_draw": [],
    "sizeof_coder": [],
    "step_offsets": [c_void_p],
}
_STEP_FIELDS = [
    "row_biases",
    "rows",
    "table",
    "embedding",
    "logits",
    "prior",
    "states",
    "prior_bias",
    "vector_of",
    "top",
    "match",
    "label_ngrams",
]
_RETURN_NUMBERS = {
    *("trie_mixture", "max_order", "max_mixed_orders", "coder_frequencies", "coder_encode", "coder_encode_token"),
    *("coder_decode", "coder_decode_token", "sizeof_operation", "sizeof_step", "sizeof_norm", "sizeof_attention"),
    *("sizeof_draw", "sizeof_coder"),
}


@cache
def native_library(*, portable: bool = False) -> ctypes.CDLL | None:
    """The loaded library, with its functions typed; None if it can't be compiled.

    The `portable` library computes the same numbers, to the last bit, on every machine (`PORTABLE`).
    """
    code = shared_library(PORTABLE + SOURCE if portable else SOURCE)
    if code is None:
        return None
    for name, arguments in _ARGUMENTS.items():
        function = getattr(code, name)
        function.argtypes, function.restype = arguments, c_int64 if name in _RETURN_NUMBERS else None
    offsets = (c_int64 * len(_STEP_FIELDS))()
    code.step_offsets(offsets)
    assert [*offsets] == [getattr(Step, name).offset for name in _STEP_FIELDS], "structures.py does not match step.c"
    for block in (Operation, Step, Norm, Attention, Draw, Coder):
        size = getattr(code, f"sizeof_{block.__name__.lower()}")()
        assert size == ctypes.sizeof(block), f"{block.__name__} in structures.py differs from the C code"
    return code
