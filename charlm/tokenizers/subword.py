"""Lossless subwords by SentencePiece: no normalisation, white space kept, unknown characters as bytes.

SentencePiece by itself would lose some text. Here a newline is a separate token, U+2581 (SentencePiece's sign for the
space) is encoded as its three bytes, and a token is decoded from its bytes, never by SentencePiece's own decoder.
"""

import base64
import binascii
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Self

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown
from charlm.errors import TokenizerError
from charlm.tokenizers.base import Ids, Tokenizer, encodable, lengths

_SPACE = "\u2581"
_SAMPLE = 10_000_000  # characters that the vocabulary is fitted to, evenly spread over the text
_BLOCK = 1 << 14  # consecutive characters of the sample
_SEGMENT = 1 << 15  # characters encoded at a time
_LONGEST_LINE = 2000
_RARE = 1e-4  # share of the text, made up of its rarest characters, that is left to bytes
_DEFAULT_VOCAB_SIZE = 2000
_OVERHEAD = 260  # 256 bytes, 3 special tokens and the newline


class SubwordTokenizer(Tokenizer):
    """Ids 0, 1 and 2 are SentencePiece's <unk> (never used, since unknown characters become bytes), BOS and EOS."""

    kind = "subword"
    bos, eos, unk = 1, 2, None

    def __init__(self, model: bytes) -> None:
        self._model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            self.vocab_size = int(self._processor.vocab_size())
            special = (self._processor.unk_id(), self._processor.bos_id(), self._processor.eos_id())
            pieces = [self._processor.id_to_piece(token) for token in range(self.vocab_size)]
            bytes_of_space = [self._processor.piece_to_id(f"<0x{byte:02X}>") for byte in _SPACE.encode()]
        except (RuntimeError, ValueError, TypeError, OSError, IndexError) as error:
            raise TokenizerError(f"the SentencePiece model is damaged: {str(error)[:100]}") from None
        if special != (0, 1, 2) or not all(self._processor.is_byte(token) for token in bytes_of_space):
            raise TokenizerError("the SentencePiece model was not made by charlm: its special tokens or bytes differ")
        self._bytes_of_space = np.array(bytes_of_space, dtype=np.int32)
        self._bytes = [self._bytes_of_piece(token, piece) for token, piece in enumerate(pieces)]

    def _bytes_of_piece(self, token: int, piece: str) -> bytes:
        if self._processor.is_control(token) or self._processor.is_unknown(token):
            return b""
        if self._processor.is_byte(token):
            return bytes((int(piece[3:-1], 16),))
        return piece.replace(_SPACE, " ").encode()

    @classmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """Fit the subwords to at most ten million characters, spread evenly over the text."""
        vocab_size = config.vocab_size or _DEFAULT_VOCAB_SIZE
        lines = _lines("\n".join(_spread(texts, characters)))
        rare = _rare_characters(lines, (vocab_size - _OVERHEAD) // 2)
        sample = [*filter(None, rare.sub("\n", "\n".join(lines)).split("\n"))]
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sample),
                model_writer=model,
                vocab_size=vocab_size,
                model_type=config.algorithm,
                character_coverage=1.0,
                required_chars=_SPACE,  # otherwise a space becomes the bytes of U+2581
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                allow_whitespace_only_pieces=True,
                user_defined_symbols=["\n"],
                byte_fallback=True,
                hard_vocab_limit=False,
                max_sentence_length=8 * _LONGEST_LINE,
                unk_id=0,
                bos_id=1,
                eos_id=2,
                pad_id=-1,
                num_threads=os.cpu_count() or 1,
                minloglevel=4,
            )
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().rsplit("\n", 1)[-1][:160]
            raise TokenizerError(
                f"SentencePiece can't fit {vocab_size} subwords to this text ({reason}); "
                "try a smaller --vocab-size, a longer text, or --tokenizer char"
            ) from None
        return cls(model.getvalue())

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """See `Tokenizer.encode`."""
        text = encodable(text, unknown)
        parts: list[Ids] = []
        for index, part in enumerate(text.split(_SPACE)):
            if index:
                parts.append(self._bytes_of_space)
            if part:
                encoded = self._processor.encode(_segments(part), num_threads=os.cpu_count() or 1)
                parts += [np.array(ids, dtype=np.int32) for ids in encoded]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)

    def encode_joined(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Tokenizer.encode_joined`; one call for all short texts without U+2581, and each distinct text once."""
        place = {text: index for index, text in enumerate(dict.fromkeys(texts))}
        simple = [encodable(text, "replace") if len(text) <= _SEGMENT and _SPACE not in text else "" for text in place]
        encoded = self._processor.encode(simple, num_threads=os.cpu_count() or 1)
        for index, text in enumerate(place):
            if text and not simple[index]:
                encoded[index] = self.encode(text, unknown="replace").tolist()
        ids, counts = np.fromiter(chain.from_iterable(encoded), np.int32), lengths(encoded)
        chosen = np.fromiter(map(place.__getitem__, texts), np.int64, len(texts))
        starts, counts = (np.cumsum(counts) - counts)[chosen], counts[chosen]
        first = np.cumsum(counts) - counts  # of each text, among the results
        return ids[np.arange(counts.sum()) + np.repeat(starts - first, counts)], counts

    def token_bytes(self, token: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return self._bytes[token]

    @property
    def byte_tokens(self) -> list[int]:
        """The token of each of the 256 bytes."""
        return [int(self._processor.piece_to_id(f"<0x{byte:02X}>")) for byte in range(256)]

    @property
    def scores(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """SentencePiece's score of each token, (V,): log-probabilities of a unigram model, ranks of merged pairs."""
        return np.array([self._processor.get_score(token) for token in range(self.vocab_size)], dtype=np.float32)

    @property
    def never_written(self) -> tuple[int, ...]:
        """See `Tokenizer.never_written`; BOS and SentencePiece's <unk>."""
        return (0, self.bos)

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind, "model": base64.b64encode(self._model).decode("ascii")}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """See `Tokenizer.from_json`."""
        try:
            return cls(base64.b64decode(values["model"], validate=True))
        except (KeyError, TypeError, binascii.Error):
            raise TokenizerError("the subword tokenizer has no SentencePiece model") from None


def _rare_characters(lines: Sequence[str], most: int) -> re.Pattern[str]:
    """A pattern of the rare characters: all but the `most` frequent, and the rarest, which make up `_RARE` of it."""
    counts = Counter("".join(lines))
    ranked = counts.most_common()
    total = uncovered = sum(counts.values())
    keep = 0
    while keep < min(most, len(ranked)) and uncovered > _RARE * total:
        uncovered -= ranked[keep][1]
        keep += 1
    rare = "".join(re.escape(character) for character, _ in ranked[keep:])
    return re.compile(f"[{rare}]+" if rare else "(?!)")


def _spread(texts: Iterable[str], characters: int) -> list[str]:
    """Evenly spaced blocks of the text, about `_SAMPLE` characters in all."""
    stride = max(1, -(-characters // _SAMPLE))
    blocks: list[str] = []
    for text in texts:
        if len(text) <= _BLOCK:
            blocks.append(text)
        else:
            blocks += [text[start : start + _BLOCK] for start in range(0, len(text), stride * _BLOCK)]
    return blocks


def _lines(text: str) -> list[str]:
    """The lines of a text without U+2581; lines too long for SentencePiece are cut."""
    lines = text.split("\n")
    if max(map(len, lines)) > _LONGEST_LINE:
        lines = [line[at : at + _LONGEST_LINE] for line in lines for at in range(0, len(line), _LONGEST_LINE)]
    if _SPACE in text:
        lines = [line.replace(_SPACE, "") for line in lines]
    return [*filter(None, lines)]


def _segments(text: str) -> list[str]:
    """`text` in parts that are encoded like the whole: cut before a newline, or after a word."""
    parts: list[str] = []
    start = 0
    while len(text) - start > _SEGMENT:
        end = text.rfind("\n", start + 1, start + _SEGMENT)
        if end < 0:
            end = text.rfind(" ", start + 1, start + _SEGMENT)
            while end > start + 1 and text[end - 1] == " ":
                end -= 1
        if end <= start + 1:
            end = start + _SEGMENT
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return parts
