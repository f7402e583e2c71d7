"""How often a byte follows another in what a model writes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.draws import draw
from charlm.sampling.filters import probabilities, temper
from charlm.sampling.steppers import make_stepper
from charlm.sampling.vocabulary import Vocabulary

END = 256
"""The end of a document, next to the 256 bytes."""
_TEXTS, _TOKENS = 24, 100
_SMOOTHING = 0.1  # of a byte that follows any other, per text position; spread by the frequency of bytes


@dataclass(frozen=True, slots=True)
class Bigrams:
    """Probabilities of the bytes, and the end of a document, that follow each byte."""

    bytes: NDArray[np.int64]
    """The A bytes that the model writes, in ascending order."""
    following: NDArray[np.float64]
    """p(next | last), (A, A + 1); the last column is `END`."""
    frequencies: NDArray[np.float64]
    """p(next), (A + 1,)."""

    def place(self, data: NDArray[np.integer]) -> NDArray[np.int64]:
        """The row of each byte; any row for one that the model doesn't write."""
        return np.minimum(np.searchsorted(self.bytes, data), len(self.bytes) - 1)


def measure_bigrams(
    model: LanguageModel,
    vocabulary: Vocabulary,
    states: LayerStates,
    logits: NDArray[np.float64],
    allowed: NDArray[np.float64],
    temperature: float,
) -> Bigrams:
    """The bigrams of texts that the model writes.

    Each position contributes the whole distribution of its next token, so that few positions suffice.

    Args:
        model: a model in evaluation mode.
        vocabulary: its vocabulary.
        states: the states where the texts begin, (1, H) each.
        logits: the logits of their first token, (V,).
        allowed: nats added to every logit, -inf for tokens that are never written, (V,).
        temperature: the temperature of the distributions, above 0 and finite.
    """
    usable = np.flatnonzero(~np.isneginf(allowed))
    spelled = [token for token in usable.tolist() if token != vocabulary.eos and vocabulary.bytes[token]]
    firsts = np.full(vocabulary.size, END)
    lasts = np.full(vocabulary.size, ord("\n"))
    for token in spelled:
        firsts[token], lasts[token] = vocabulary.bytes[token][0], vocabulary.bytes[token][-1]
    counts = np.zeros((256, 257))
    mass = np.zeros(vocabulary.size)
    random = np.random.Generator(np.random.PCG64(1))
    stepper = make_stepper(model, [states] * _TEXTS)
    rows: NDArray[np.floating] = np.stack([logits] * _TEXTS)
    before = np.full(_TEXTS, ord("\n"))
    never_ends = allowed.copy()
    never_ends[vocabulary.eos] = -np.inf
    for _ in range(_TOKENS):
        adjusted = rows.astype(np.float64)
        shares = probabilities(temper(adjusted + allowed, temperature))  # (B, V)
        mass += shares.sum(0)
        by_first = np.zeros((257, _TEXTS))
        np.add.at(by_first, firsts[usable], shares[:, usable].T)
        np.add.at(counts, before, by_first.T)
        tokens = draw(temper(adjusted + never_ends, temperature), random.random(_TEXTS).tolist())
        before = lasts[tokens]
        rows = stepper.step(tokens)
    for token in spelled:
        data = vocabulary.bytes[token]
        np.add.at(counts, (list(data[:-1]), list(data[1:])), mass[token])
    written = np.array(sorted({byte for token in spelled for byte in vocabulary.bytes[token]}), dtype=np.int64)
    columns = [*written.tolist(), END]
    frequencies = counts[:, columns].sum(0) + 1e-3
    frequencies /= frequencies.sum()
    following = counts[np.ix_(written, columns)] + _SMOOTHING * frequencies
    return Bigrams(written, following / following.sum(1, keepdims=True), frequencies)
