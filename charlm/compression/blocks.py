"""The blocks of an archive: the tokens of a file, each coded by the probabilities that a model predicts."""

import zlib
from collections.abc import Iterator

from charlm.compression.archive import Block, damaged
from charlm.compression.coder import make_decoder, make_encoder
from charlm.compression.predictors import Predictor
from charlm.compression.symbols import CODE_POINTS, Alphabet, UnknownSymbolError
from charlm.progress import Progress, silent
from charlm.sampling.steppers import LogitRows
from charlm.tokenizers import Tokenizer

BLOCK = 1 << 17
"""Most tokens of a block."""

_REPORTED = 1 << 10  # tokens between two reports of progress


class _Reading:
    """The text so far, which encoder and decoder read in the same way."""

    def __init__(self, predictor: Predictor, eos: int) -> None:
        self._predictor, self._eos = predictor, eos
        self.forget()

    def forget(self) -> None:
        """Let the next token start a document."""
        self._logits: LogitRows | None = None
        self._unread: int | None = None  # the last token, which is read when the next is predicted

    def read(self, token: int) -> None:
        """Read the next token."""
        self._unread = token

    @property
    def logits(self) -> LogitRows:
        """The logits of the next token, (V,)."""
        token, self._unread = self._unread, None
        if token is not None and token != self._eos:
            self._logits = self._predictor.read(token)
        elif token is not None or self._logits is None:
            self._logits = self._predictor.begin()
        return self._logits


def encode_blocks(
    data: bytes,
    alphabet: Alphabet,
    predictor: Predictor,
    tokenizer: Tokenizer,
    *,
    dynamic: bool,
    progress: Progress = silent,
) -> Iterator[Block]:
    """The blocks of a file.

    Args:
        data: the content of the file.
        alphabet: the bytes as tokens of the model.
        predictor: what predicts the tokens; it must not have read anything.
        tokenizer: the tokenizer of the model.
        dynamic: whether the predictor learns from what it reads.
        progress: called with the number of bytes done.
    """
    symbols, reading, done = alphabet.encode(data), _Reading(predictor, tokenizer.eos), 0
    escapes = iter(symbols.escapes.tolist())
    size = alphabet.tokens_of_block(BLOCK)
    for first in range(0, len(symbols.ids), size):
        ids, ends = symbols.ids[first : first + size].tolist(), symbols.ends[first : first + size]
        encoder = make_encoder(tokenizer.vocab_size)
        for index, token in enumerate(ids):
            encoder.token(reading.logits, token)
            if token == tokenizer.unk:
                encoder.uniform(next(escapes), CODE_POINTS)
            reading.read(token)
            if index % _REPORTED == 0:
                progress("compressing", int(ends[index]), len(data))
        begin, done = done, int(ends[-1])
        part, payload = data[begin:done], encoder.finish()
        stored = len(payload) >= len(part) and not dynamic  # a model that has learnt from it can't forget it
        if stored:
            reading.forget()
        yield Block(len(part), stored, part if stored else payload, zlib.crc32(part))
    progress("compressing", len(data), len(data))


def decode_blocks(
    blocks: list[Block],
    length: int,
    alphabet: Alphabet,
    predictor: Predictor,
    tokenizer: Tokenizer,
    progress: Progress = silent,
) -> Iterator[bytes]:
    """The parts of a file of `length` bytes, each with the checksum of its block; others as in `encode_blocks`.

    Raises `ArchiveError` for a block that is damaged.
    """
    reading, done = _Reading(predictor, tokenizer.eos), 0
    for block in blocks:
        if block.stored:
            part = block.payload
            reading.forget()
        else:
            part = b""
            for part in _decode_block(block, reading, alphabet, tokenizer):
                progress("decompressing", done + len(part), length)
        if zlib.crc32(part) != block.crc:
            raise damaged("the checksum of what a block holds differs")
        done += len(part)
        yield part
    progress("decompressing", done, length)


def _decode_block(block: Block, reading: _Reading, alphabet: Alphabet, tokenizer: Tokenizer) -> Iterator[bytes]:
    """The part of the file decoded so far, every `_REPORTED` tokens, and at last the whole block."""
    decoder, unk = make_decoder(block.payload, tokenizer.vocab_size), tokenizer.unk
    part, tokens = bytearray(), 0
    while len(part) < block.length:
        token = decoder.token(reading.logits)
        reading.read(token)
        try:
            own = alphabet.bytes_of_escape(decoder.uniform(CODE_POINTS)) if token == unk else alphabet.bytes_of[token]
        except UnknownSymbolError as error:
            raise damaged(f"it holds {error}, which stands for nothing") from None
        if not own:
            raise damaged(f"it holds the token {token}, which no text has")
        part += own
        tokens += 1
        if tokens % _REPORTED == 0:
            yield bytes(part)
    yield bytes(part)
