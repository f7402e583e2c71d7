"""The structures that C code takes as arguments, with the layout of their C definitions.

`charlm.native.library` checks the sizes of `Operation` and `Step`.
"""

import ctypes
from ctypes import c_int64 as number
from ctypes import c_void_p as pointer
from typing import ClassVar


class Operation(ctypes.Structure):
    """A point-wise stage or a matrix product of a step (`functions.h`)."""

    STAGE, PRODUCT, BFLOAT16_PRODUCT = range(3)
    _fields_: ClassVar = [
        (name, number)
        for name in (
            *("kind", "source", "source_time", "source_row", "target", "target_time", "target_row"),
            *("weights", "depth", "blocks", "width", "add", "stage", "table"),
        )
    ]


class Trie(ctypes.Structure):
    """The n-grams that all n-gram models of a text share (`trie.h`)."""

    _fields_: ClassVar = [("keys", pointer), ("first", pointer), ("vocab", number), ("width", number)]


class Estimates(ctypes.Structure):
    """The probabilities of one n-gram model (`trie.h`)."""

    _fields_: ClassVar = [("unigrams", pointer), ("weights", pointer), ("backoffs", pointer)]


class Orders(ctypes.Structure):
    """The n-gram orders whose log-probabilities are mixed (`trie.h`)."""

    _fields_: ClassVar = [("orders", pointer), ("number", number)]


class History(ctypes.Structure):
    """A buffer of the last few states of a layer (`step.c`)."""

    _fields_: ClassVar = [("states", pointer), ("depth", number), ("size", number)]


class RowBias(ctypes.Structure):
    """A bias that rows are set to at the beginning of every step (`step.c`)."""

    _fields_: ClassVar = [("bias", pointer), ("rows", pointer), ("width", number)]


class Step(ctypes.Structure):
    """The memory, weights and operations of a sampling step (`step.c`)."""

    _fields_: ClassVar = [
        *((name, pointer) for name in ("run", "operations", "histories", "row_biases")),
        *((name, number) for name in ("num_operations", "num_histories", "num_row_biases")),
        *((name, number) for name in ("rows", "hidden", "threads", "time", "period")),
        *(("table", pointer), ("gates", pointer), ("gates_width", number)),
        *(("embedding", pointer), ("inputs", pointer), ("embedding_size", number), ("logits", pointer)),
        *(("trie", Trie), ("estimates", Estimates), ("orders", Orders)),
        *((name, pointer) for name in ("states", "probabilities", "gate_weight", "gate_bias")),
        *((name, pointer) for name in ("ngram_vectors", "vector_of")),
        *((name, number) for name in ("last_node", "longest_ngram")),
        *(("top", pointer), ("top_time", number), ("top_row", number)),
    ]
