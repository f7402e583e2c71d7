"""One token for each distinct Unicode character of the training split."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown
from charlm.errors import TokenizerError
from charlm.tokenizers.base import SCALAR_VALUES, Ids, Tokenizer, lengths, unknown_character
from charlm.tokenizers.nearest import canonical_text, clusters, nearest_text

_SPECIALS = 3
_CODE_POINTS = 0x110000
_SHORT = 1000  # characters of a text below which a set is faster than an array


class CharTokenizer(Tokenizer):
    """Ids 0, 1 and 2 are BOS, EOS and <unk>; the characters follow in code point order."""

    kind = "char"
    bos, eos, unk = 0, 1, 2

    def __init__(self, characters: str) -> None:
        codes = _code_points(characters)
        if len(codes) == 0 or np.any(codes[1:] <= codes[:-1]):
            raise TokenizerError(
                "the vocabulary of a char tokenizer must be one or more distinct characters in code point order"
            )
        self.characters = characters
        self.vocab_size = _SPECIALS + len(codes)
        self._id_of = np.full(_CODE_POINTS, self.unk, dtype=np.int32)
        self._id_of[codes] = np.arange(_SPECIALS, self.vocab_size, dtype=np.int32)
        self._bytes = [b"", b"", "\ufffd".encode(), *(character.encode() for character in characters)]

    @classmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """Collect the distinct characters."""
        seen, in_short = np.zeros(_CODE_POINTS, dtype=bool), set[str]()
        for text in texts:
            if len(text) < _SHORT:
                in_short.update(text)
            else:
                seen[_code_points(text)] = True
        seen[_code_points("".join(in_short))] = True
        return cls("".join(map(chr, np.flatnonzero(seen))))

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """See `Tokenizer.encode`."""
        ids: Ids = self._id_of[_code_points(text)]
        if unknown in ("nearest", "error") and (missing := np.flatnonzero(ids == self.unk)).size:
            readable = self._read_as(text, nearest_text)
            if unknown == "nearest" and isinstance(readable, str):
                return self.encode(readable)
            position = readable if unknown == "nearest" and isinstance(readable, int) else int(missing[0])
            raise unknown_character(text, position, has_nearest=isinstance(readable, str))
        return ids[ids != self.unk] if unknown == "skip" else ids

    def equivalent(self, text: str) -> str:
        """See `Tokenizer.equivalent`."""
        same = text if set(self.characters).issuperset(text) else self._read_as(text, canonical_text)
        return same if isinstance(same, str) else text

    def _read_as(self, text: str, alternative: Callable[[str, Callable[[str], bool]], str | None]) -> str | int:
        """`text` with alternatives of its unknown clusters, or the position of the first character without one."""
        known = set(self.characters).__contains__
        parts: list[str] = []
        position = 0
        for cluster in clusters(text):
            if not all(map(known, cluster)):
                read = alternative(cluster, known)
                if read is None:
                    return position + next(index for index, part in enumerate(cluster) if not known(part))
                parts.append(read)
            else:
                parts.append(cluster)
            position += len(cluster)
        return "".join(parts)

    def encode_joined(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Tokenizer.encode_joined`; one look-up for all texts."""
        return self.encode("".join(texts), unknown="replace"), lengths(texts)

    def token_bytes(self, token: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return self._bytes[token]

    @property
    def unseen_characters(self) -> int:
        """See `Tokenizer.unseen_characters`."""
        return SCALAR_VALUES - len(self.characters)

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind, "characters": self.characters}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """See `Tokenizer.from_json`."""
        characters = values.get("characters")
        if not isinstance(characters, str) or any("\ud800" <= character <= "\udfff" for character in characters):
            raise TokenizerError("the char tokenizer has no list of characters")
        return cls(characters)


def _code_points(text: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
