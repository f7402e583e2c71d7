"""The arithmetic coder: compiled and in Python the same bytes, and each reads what the other wrote."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.compression.coder import CompiledDecoder, CompiledEncoder, make_decoder, make_encoder
from charlm.compression.reference import ReferenceDecoder, ReferenceEncoder, frequencies
from charlm.ngram.native_code import native_library

compiled = pytest.mark.skipif(native_library(portable=True) is None, reason="no C compiler here")


def random_logits(seed: int, number: int, vocab: int) -> np.ndarray:
    """Logits (number, vocab), from flat to nearly certain."""
    rng = np.random.default_rng(seed)
    scales = rng.choice([0.0, 1.0, 10.0, 200.0], (number, 1))
    return (scales * rng.standard_normal((number, vocab))).astype(np.float32)


@compiled
@given(seed=st.integers(0, 1 << 32), number=st.integers(0, 60), vocab=st.sampled_from([1, 2, 3, 68, 1000]))
def test_compiled_and_python_write_the_same_bytes_and_read_them(seed: int, number: int, vocab: int) -> None:
    logits, rng = random_logits(seed, number, vocab), np.random.default_rng(seed)
    tokens, numbers = rng.integers(vocab, size=number).tolist(), rng.integers(0x110000, size=number).tolist()
    code = native_library(portable=True)
    written = []
    for encoder in (CompiledEncoder(code, vocab), ReferenceEncoder()):
        for row, token, own in zip(logits, tokens, numbers, strict=True):
            encoder.token(row, token)
            encoder.uniform(own, 0x110000)
        written.append(encoder.finish())
    assert written[0] == written[1]
    for decoder in (CompiledDecoder(code, written[0], vocab), ReferenceDecoder(written[0])):
        assert [(decoder.token(row), decoder.uniform(0x110000)) for row in logits] == [
            *zip(tokens, numbers, strict=True)
        ]


def test_the_length_is_the_information_of_the_tokens() -> None:
    logits, rng = random_logits(1, 3000, 68), np.random.default_rng(2)
    p = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    p /= p.sum(1, keepdims=True)
    tokens = [int(rng.choice(68, p=row)) for row in p]
    encoder = make_encoder(68)
    for row, token in zip(logits, tokens, strict=True):
        encoder.token(row, token)
    bits = -sum(math.log2(row[token]) for row, token in zip(p, tokens, strict=True))
    assert 0 <= 8 * len(encoder.finish()) - bits < 16


@pytest.mark.parametrize("vocab", [1, 3, 258, 65_536])
@pytest.mark.parametrize("row", ["flat", "certain", "NaN", "infinite"])
def test_every_token_has_a_frequency_and_their_sum_fits(vocab: int, row: str) -> None:
    logits = np.zeros(vocab, np.float32)
    logits[-1] = {"flat": 0, "certain": 1e30, "NaN": np.nan, "infinite": np.inf}[row]
    counts = frequencies(logits)
    assert counts.min() >= 1
    assert counts.sum() <= (1 << 31) + vocab
    if (code := native_library(portable=True)) is not None:
        own = np.empty(vocab, np.uint32)
        assert code.coder_frequencies(logits.ctypes.data, vocab, own.ctypes.data) == counts.sum()
        assert np.array_equal(own, counts)


def test_a_carry_goes_through_bytes_that_are_255() -> None:
    """Numbers just below a power of two and just above it, again and again."""
    choices = [(1 << 30) - 1, 1 << 30] * 200
    for encoder, make in (
        (make_encoder(2), lambda content: make_decoder(content, 2)),
        (ReferenceEncoder(), ReferenceDecoder),
    ):
        for choice in choices:
            encoder.uniform(choice, 1 << 31)
        decoder = make(encoder.finish())
        assert [decoder.uniform(1 << 31) for _ in choices] == choices


def test_a_decoder_reads_something_from_any_bytes() -> None:
    for content in (b"", b"\xff" * 30, bytes(30)):
        decoder = make_decoder(content, 5)
        assert all(0 <= decoder.token(np.zeros(5, np.float32)) < 5 for _ in range(200))
