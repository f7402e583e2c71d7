"""The structures that C code takes as arguments, with the layout of their C definitions.

`charlm.native.library` checks the sizes of `Operation`, `Step`, `Norm`, `Attention`, `Draw` and `Coder`, and where the
fields of `Step` are.
"""

import ctypes
from ctypes import c_int64 as int64
from ctypes import c_void_p as pointer
from typing import ClassVar


class Operation(ctypes.Structure):
    """A stage or a matrix product of a step (`functions.h`)."""

    STAGE, PRODUCT, BFLOAT16_PRODUCT, ROW_STAGE = range(4)
    _fields_: ClassVar = [
        ("kind", int64),
        ("source", int64),
        ("source_time", int64),
        ("source_row", int64),
        ("target", int64),
        ("target_time", int64),
        ("target_row", int64),
        ("weights", int64),
        ("depth", int64),
        ("blocks", int64),
        ("width", int64),
        ("add", int64),
        ("stage", int64),
        ("table", int64),
    ]


class Trie(ctypes.Structure):
    """The n-grams that all n-gram models of a text share (`trie.h`)."""

    _fields_: ClassVar = [("keys", pointer), ("first", pointer), ("vocab", int64), ("width", int64)]


class Estimates(ctypes.Structure):
    """The probabilities of one n-gram model (`trie.h`)."""

    _fields_: ClassVar = [("unigrams", pointer), ("weights", pointer), ("backoffs", pointer)]


class Ngrams(ctypes.Structure):
    """One n-gram model (`trie.h`)."""

    _fields_: ClassVar = [("trie", Trie), ("estimates", Estimates)]


class Orders(ctypes.Structure):
    """The n-gram orders whose log-probabilities are mixed (`trie.h`)."""

    _fields_: ClassVar = [("orders", pointer), ("number", int64)]


class RecentShape(ctypes.Structure):
    """The sizes of recent contexts (`recent.h`)."""

    _fields_: ClassVar = [("slots", int64), ("number", int64), ("orders", int64 * 8)]


class Tokens(ctypes.Structure):
    """The tokens whose probabilities are wanted (`trie.h`)."""

    _fields_: ClassVar = [("tokens", pointer), ("place_of", pointer), ("number", int64)]


class MatchShape(ctypes.Structure):
    """The sizes of a match model (`match.h`)."""

    _fields_: ClassVar = [("window", int64), ("longer", int64), ("shorter", int64), ("recent", RecentShape)]


class History(ctypes.Structure):
    """A buffer of the last few states of a layer (`step.c`)."""

    _fields_: ClassVar = [("states", pointer), ("lookback", int64), ("size", int64)]


class RowBias(ctypes.Structure):
    """A bias that rows are set to at the beginning of every step (`step.c`)."""

    _fields_: ClassVar = [("bias", pointer), ("rows", pointer), ("width", int64)]


class Step(ctypes.Structure):
    """The memory, weights and operations of a sampling step (`step.c`)."""

    _fields_: ClassVar = [
        ("run", pointer),
        ("operations", pointer),
        ("histories", pointer),
        ("row_biases", pointer),
        ("num_operations", int64),
        ("num_histories", int64),
        ("num_row_biases", int64),
        ("rows", int64),
        ("hidden_size", int64),
        ("threads", int64),
        ("time", int64),
        ("period", int64),
        ("table", pointer),
        ("gates", pointer),
        ("gates_width", int64),
        ("embedding", pointer),
        ("inputs", pointer),
        ("embedding_size", int64),
        ("added", pointer),
        ("logits", pointer),
        ("prior", Ngrams),
        ("orders", Orders),
        ("states", pointer),
        ("probabilities", pointer),
        ("prior_weight", pointer),
        ("prior_bias", pointer),
        ("ngram_vectors", pointer),
        ("vector_of", pointer),
        ("last_node", int64),
        ("longest_ngram", int64),
        ("top", pointer),
        ("top_time", int64),
        ("top_row", int64),
        ("match", pointer),
        ("match_states", pointer),
        ("match_size", int64),
        ("vocab", int64),
        ("match_gate", pointer),
        ("match_weight", pointer),
        ("label_ngrams", pointer),
        ("num_label_ngrams", int64),
        ("label_states", pointer),
        ("label_shares", pointer),
    ]


class Norm(ctypes.Structure):
    """The norm of rows (`attention.c`)."""

    _fields_: ClassVar = [("x", pointer), ("gain", pointer), ("normed", pointer), ("width", int64)]


class Attention(ctypes.Structure):
    """The memory of a transformer's layer (`attention.c`)."""

    _fields_: ClassVar = [
        ("heads", int64),
        ("half", int64),
        ("span", int64),
        ("inputs", pointer),
        ("keys", pointer),
        ("values", pointer),
        ("lengths", pointer),
        ("cosine", pointer),
        ("sine", pointer),
        ("turned", pointer),
        ("scores", pointer),
        ("attended", pointer),
    ]


class Draw(ctypes.Structure):
    """The logits, controls and results of a draw (`draw.c`)."""

    _fields_: ClassVar = [
        ("logits", pointer),
        ("rows", int64),
        ("vocab", int64),
        ("added", pointer),
        ("temperature", ctypes.c_double),
        ("eos", int64),
        ("may_end", pointer),
        ("uniforms", pointer),
        ("cumulative", pointer),
        ("tokens", pointer),
        ("nats", pointer),
    ]


class Coder(ctypes.Structure):
    """The state of an arithmetic coder (`coder.c`)."""

    _fields_: ClassVar = [
        ("low", ctypes.c_uint64),
        ("range", ctypes.c_uint64),
        ("held", int64),
        ("first", int64),
        ("bytes", pointer),
        ("length", int64),
        ("capacity", int64),
        ("frequencies", pointer),
    ]
