"""The argument blocks of the C code, laid out as in its headers; `charlm.native.library` checks their sizes."""

import ctypes
from ctypes import c_int64 as number
from ctypes import c_void_p as pointer
from typing import ClassVar


class Operation(ctypes.Structure):
    """A stage or a product of a loop (`functions.h`)."""

    STAGE, PRODUCT, BFLOAT16_PRODUCT = range(3)
    _fields_: ClassVar = [
        (name, number)
        for name in (
            *("kind", "source", "source_time", "source_row", "target", "target_time", "target_row"),
            *("weights", "depth", "blocks", "width", "add", "stage", "table"),
        )
    ]


class Trie(ctypes.Structure):
    """The n-grams that all models of a text share (`trie.h`)."""

    _fields_: ClassVar = [("keys", pointer), ("first", pointer), ("vocab", number), ("width", number)]


class Estimates(ctypes.Structure):
    """The probabilities of one n-gram model (`trie.h`)."""

    _fields_: ClassVar = [("unigrams", pointer), ("weights", pointer), ("backoffs", pointer)]


class Orders(ctypes.Structure):
    """The orders of n-grams that are mixed (`trie.h`)."""

    _fields_: ClassVar = [("orders", pointer), ("number", number)]


class History(ctypes.Structure):
    """A buffer of states and of those before them (`step.c`)."""

    _fields_: ClassVar = [("states", pointer), ("depth", number), ("numbers", number)]


class Start(ctypes.Structure):
    """A bias that every row begins with (`step.c`)."""

    _fields_: ClassVar = [("bias", pointer), ("rows", pointer), ("width", number)]


class Step(ctypes.Structure):
    """All that a step of sampling works with (`step.c`)."""

    _fields_: ClassVar = [
        *((name, pointer) for name in ("run", "operations", "histories", "starts")),
        *((name, number) for name in ("num_operations", "num_histories", "num_starts")),
        *((name, number) for name in ("rows", "hidden", "threads", "time", "period")),
        *(("table", pointer), ("gates", pointer), ("gates_width", number)),
        *(("embedding", pointer), ("inputs", pointer), ("embedding_size", number), ("logits", pointer)),
        *(("trie", Trie), ("estimates", Estimates), ("orders", Orders)),
        *((name, pointer) for name in ("states", "chance", "gate_weight", "gate_bias", "ngram_vectors", "vector_of")),
        *((name, number) for name in ("last_node", "longest")),
        *(("top", pointer), ("top_time", number), ("top_row", number)),
    ]
