"""Documents as token ids, with BOS and EOS, and what is counted meanwhile."""

from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.config import JsonConfig
from charlm.data.documents import Part
from charlm.data.encoded.label_codes import Codes, LabelCodes
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts(JsonConfig):
    """The size of a split."""

    documents: int = 0
    characters: int = 0
    """Characters of the documents, without the separators between them."""
    bytes: int = 0
    """Bytes of the documents in UTF-8."""
    tokens: int = 0
    """Tokens that a model predicts: those of the text, and one EOS for each document."""
    unknown_characters: int = 0
    """Characters outside the vocabulary."""
    source_tokens: int = 0
    """Tokens of the sources of pairs, each with its EOS, which a model reads and doesn't predict. Nothing else here
    counts sources."""


class EncodedParts(NamedTuple):
    """Consecutive parts of a split as tokens."""

    ids: NDArray[Any]
    starts: NDArray[np.int64]
    """Where documents begin in `ids`."""
    facts: SplitFacts
    """Their size; of the documents, those that end are counted."""
    labels: Codes | None = None
    """The labels of the documents that begin, (documents, C), if labels are stored."""
    targets: NDArray[np.int64] | None = None
    """Where the targets of pairs begin in `ids`."""


def encode_parts(
    tokenizer: Tokenizer, dtype: np.dtype[Any], parts: list[Part], *, inside: bool, codes: LabelCodes | None = None
) -> EncodedParts:
    """Encode consecutive parts with BOS and EOS; `inside` says whether the first continues a document. With `codes`
    the labels of the documents are encoded too. A pair is BOS, its source, EOS, its target, EOS."""
    if parts and parts[0].sources:
        return _encode_pairs(tokenizer, dtype, parts, codes)
    texts = [*chain.from_iterable(part.texts for part in parts)]
    ids, counts = tokenizer.encode_joined(texts)
    last = np.cumsum([len(part.texts) for part in parts]) - 1
    ends = np.ones(len(texts), dtype=bool)
    ends[last] = [part.ends for part in parts]
    begins = np.concatenate(([not inside], ends[:-1]))
    bounds = np.concatenate(([0], np.cumsum(counts)))
    # BOS before the first token of a text that begins, EOS after the last of one that ends.
    marked = np.column_stack((begins, ends)).ravel()
    places = np.repeat(bounds, 2)[1:-1][marked]
    marks = np.tile([tokenizer.bos, tokenizer.eos], len(texts))[marked]
    documents = int(np.count_nonzero(ends))
    facts = SplitFacts(
        **_text_sizes("".join(texts)),
        documents=documents,
        tokens=len(ids) + documents,
        unknown_characters=tokenizer.count_unknown(ids),
    )
    starts = (places + np.arange(len(places)))[marks == tokenizer.bos]
    labels = None
    if codes is not None:
        labels = np.repeat([codes(part.labels) for part in parts], [len(part.texts) for part in parts], 0)[begins]
    return EncodedParts(np.insert(ids, places, marks).astype(dtype), starts, facts, labels)


def _encode_pairs(
    tokenizer: Tokenizer, dtype: np.dtype[Any], parts: list[Part], codes: LabelCodes | None
) -> EncodedParts:
    """`encode_parts` for targets with their sources."""
    texts = [*chain.from_iterable(part.texts for part in parts)]
    sources = chain.from_iterable(part.sources for part in parts)
    ids, counts = tokenizer.encode_joined([*chain.from_iterable(zip(sources, texts, strict=True))])
    lengths = np.asarray(counts).reshape(-1, 2)  # of sources and targets
    stops = np.cumsum(counts)
    is_target = np.repeat(np.tile([False, True], len(texts)), counts)
    # An EOS after each text, and a BOS before each source: behind the EOS of the target before it.
    places = np.insert(np.repeat(stops, np.tile([1, 2], len(texts))), 0, 0)[:-1]
    marks = np.tile([tokenizer.bos, tokenizer.eos, tokenizer.eos], len(texts))
    sizes = lengths.sum(1) + 3
    starts = np.cumsum(sizes) - sizes
    facts = SplitFacts(
        **_text_sizes("".join(texts)),
        documents=len(texts),
        tokens=int(lengths[:, 1].sum()) + len(texts),
        unknown_characters=tokenizer.count_unknown(ids[is_target]),
        source_tokens=int(lengths[:, 0].sum()) + len(texts),
    )
    labels = None
    if codes is not None:
        labels = np.repeat([codes(part.labels) for part in parts], [len(part.texts) for part in parts], 0)
    return EncodedParts(np.insert(ids, places, marks).astype(dtype), starts, facts, labels, starts + 2 + lengths[:, 0])


def _text_sizes(text: str) -> dict[str, int]:
    """The characters and bytes of a text, as fields of `SplitFacts`."""
    return {"characters": len(text), "bytes": len(text) if text.isascii() else len(text.encode())}
