"""The score of a text that is a string in memory, which leaves nothing in the cache."""

import math
from dataclasses import replace

import numpy as np

from charlm.analysis.units.reading import read
from charlm.config import CorpusConfig
from charlm.data.documents import cut_documents
from charlm.data.encoded.parts import encode_parts
from charlm.data.token_split import TokenSplit
from charlm.errors import ConfigError
from charlm.evaluation.score import Evaluation, evaluate
from charlm.evaluation.words import count_words
from charlm.model.language_model import LanguageModel
from charlm.tokenizers import Tokenizer


def surprisal(model: LanguageModel, tokenizer: Tokenizer, text: str) -> list[float]:
    """-ln p of each character given those before it, nats; those of a token are divided evenly among its characters.

    A character outside the vocabulary is charged as in `charlm.evaluation.score`.
    """
    if not text:
        return []
    reading = read(model, tokenizer, text, alternatives=1, unknown="replace")
    nats: list[float] = []
    waiting = 0.0  # of tokens that don't complete a character
    for token_text, bits in zip(reading.texts, reading.bits.tolist(), strict=True):
        waiting += bits * math.log(2)
        if token_text:
            nats += [waiting / len(token_text)] * len(token_text)
            waiting = 0.0
    return nats


def score_text(model: LanguageModel, tokenizer: Tokenizer, text: str, config: CorpusConfig) -> Evaluation:
    """The score of a text, cut into documents as `config` says; raises `ConfigError` if it has none."""
    parts = list(cut_documents([text], config))
    if not text or not parts:
        raise ConfigError("there is no text to score; give a text that isn't empty")
    encoded = encode_parts(tokenizer, np.dtype(np.uint32), parts, inside=False)
    starts = np.append(encoded.starts, len(encoded.ids))
    split = TokenSplit(encoded.ids, starts, encoded.facts)
    if model.source:  # the text is then one document
        before = len(model.source)
        ids, facts = np.insert(encoded.ids, 1, model.source), replace(encoded.facts, source_tokens=before)
        split = TokenSplit(ids, starts + np.array([0, before]), facts, targets=np.array([1 + before]))
    scored = evaluate(model, tokenizer, split)
    return replace(scored, words=count_words(parts))
