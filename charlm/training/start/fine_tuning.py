"""What a model keeps of the model that it starts from: the network, in the vocabulary of the new text."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.config import TokenizerConfig
from charlm.data.dataset import Dataset
from charlm.model.language_model import LanguageModel
from charlm.ngram.match import BUCKETS
from charlm.storage.checkpoint import load, weights_sha256
from charlm.storage.provenance import FirstModel
from charlm.storage.runs import find_model, model_name
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.char import CharTokenizer
from charlm.tokenizers.nearest import nearest_text

logger = logging.getLogger(__name__)

_LEAST_KNOWN = 0.5
"""Of the characters of the training split; spaces and punctuation, which most scripts share, are about a quarter."""

Sources = dict[int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StartModel:
    """The model of --init-from, whose network a run starts with."""

    path: Path
    model: LanguageModel
    tokenizer: Tokenizer
    reason: str | None = None
    """Why a run begins with it, if charlm chose it."""

    @property
    def facts(self) -> FirstModel:
        """Its name and hash, for the models that begin with it."""
        return FirstModel(name=model_name(self.path), sha256=weights_sha256(self.model))


def load_start_model(name: str | Path | None) -> StartModel | None:
    """Load a model to start from, by its file, run folder or name of the run; None if `name` is None.

    Raises `RunError` if there is none, and `ModelFileError` for a file that is damaged or not a charlm model.
    """
    if name is None:
        return None
    path = find_model(str(name))
    checkpoint = load(path)
    return StartModel(path=path, model=checkpoint.model, tokenizer=checkpoint.tokenizer)


def tokenizer_of_run(start_model: StartModel | None, config: TokenizerConfig | None) -> Tokenizer | TokenizerConfig:
    """The tokenizer of a run, or how to make it; `config` is that of its `RunConfig`.

    The subwords or bytes of a start model can write every text and stay; characters are collected from the new text.
    """
    if start_model is None or isinstance(start_model.tokenizer, CharTokenizer):
        return config or TokenizerConfig()
    return start_model.tokenizer


def sources_of(tokenizer: Tokenizer, start: Tokenizer) -> Sources:
    """For each token the tokens of the start model that it is made from: itself, else those of the nearest text.

    A character that has neither is left out.
    """
    if not (isinstance(tokenizer, CharTokenizer) and isinstance(start, CharTokenizer)):
        return {token: (token,) for token in range(tokenizer.vocab_size)}
    known = set(start.characters)
    sources: Sources = {token: (token,) for token in (tokenizer.bos, tokenizer.eos, tokenizer.unk)}
    for token, character in enumerate(tokenizer.characters, len(sources)):
        text = character if character in known else nearest_text(character, known.__contains__)
        if text is not None:
            sources[token] = tuple(start.encode(text).tolist())
    return sources


def knows_the_script(start: StartModel, dataset: Dataset) -> bool:
    """Whether the start model knows most characters of the training split, or their nearest text."""
    return _known_share(start, dataset) >= _LEAST_KNOWN


def warn_about_script(start: StartModel, dataset: Dataset) -> None:
    """Log that a new model is made instead of a start model that does not know the script."""
    logger.warning(
        "%s knows only %.0f%% of the characters of %s, so the run begins with a new model",
        start.path,
        100 * _known_share(start, dataset),
        dataset.corpus.name,
    )


def _known_share(start: StartModel, dataset: Dataset) -> float:
    counts = _counts(dataset)
    return float(counts[list(sources_of(dataset.tokenizer, start.tokenizer))].sum() / counts.sum())


@torch.no_grad()
def inherit(model: LanguageModel, start: StartModel, dataset: Dataset) -> None:
    """Give a new model, whose layers have the same shape, the weights of the model that it starts from.

    The rows of the embedding and of the output layer are those of the same character, else of the nearest text (e for
    é), else the mean of all. Two characters that share a source also share its probability, in proportion to their
    counts. The n-gram prior and the match keep their weights where their shape is the same, and the vectors of n-grams
    and labels that both texts have stay.
    """
    base, counts = start.model, _counts(dataset)
    sources = sources_of(dataset.tokenizer, start.tokenizer)
    model.network.load_state_dict(base.network.state_dict())
    model.embedding.copy_(_rows(base.embedding, sources, model.config.vocab_size))
    if model.output is not None and base.output is not None:
        model.output.copy_(_rows(base.output, sources, model.config.vocab_size))
    bias = _rows(base.output_bias[:, None], sources, model.config.vocab_size)[:, 0]
    model.output_bias.copy_(bias + torch.from_numpy(_log_shares(sources, counts)))
    if model.prior is not None and base.prior is not None and inherits_prior(model, start):
        model.prior.load_state_dict(base.prior.state_dict())
    if model.match is not None and base.match is not None and model.match.lengths[:2] == base.match.lengths[:2]:
        if model.match.lengths == base.match.lengths:
            model.match.load_state_dict(base.match.state_dict())
        else:  # only one of them has recent contexts
            model.match.gate[:BUCKETS] = base.match.gate[:BUCKETS]
    if model.labels is not None and base.labels is not None:
        known = {value: row for row, value in enumerate(base.config.label_values)}
        for row, value in enumerate(model.config.label_values):
            if value in known:
                model.labels.vectors[row] = base.labels.vectors[known[value]]


def inherits_prior(model: LanguageModel, start: StartModel) -> bool:
    """Whether both models have an n-gram prior with weights of the same shape, which the new model takes."""
    prior, other = model.prior, start.model.prior
    return prior is not None and other is not None and prior.bias.shape == other.bias.shape


@torch.no_grad()
def inherit_vectors(model: LanguageModel, start: StartModel, tokenizer: Tokenizer) -> None:
    """Give the n-grams that have a vector in both models that of the start model; both models have n-gram models."""
    base = start.model
    if model.contexts is None or base.contexts is None:
        return
    assert model.prior is not None and model.prior.ngram is not None
    assert base.prior is not None and base.prior.ngram is not None
    sources = sources_of(tokenizer, start.tokenizer)
    if model.contexts.vectors.shape[1] == base.contexts.vectors.shape[1]:
        model.contexts.copy_shared(model.prior.ngram, base.contexts, base.prior.ngram, sources)


def _counts(dataset: Dataset) -> NDArray[np.int64]:
    """How often the training split has each token, (V,)."""
    return dataset.train.token_counts(dataset.tokenizer.vocab_size)


def _rows(weights: Tensor, sources: Sources, vocab_size: int) -> Tensor:
    """For each of `vocab_size` tokens the mean of the rows of its sources; without any, the mean of all rows."""
    rows = weights.mean(0).repeat(vocab_size, 1)
    for token, parts in sources.items():
        rows[token] = weights[list(parts)].mean(0)
    return rows


def _log_shares(sources: Sources, counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """The logarithm of each token's share of the counts of all tokens with the same sources, (V,).

    A token made from several, as ß from ss, shares with their mean. One without sources gets that of its share of all
    counts times V, since its row is that of a mean token.
    """
    smoothed = counts + 0.5
    totals: dict[tuple[int, ...], float] = {}
    for token, parts in sources.items():
        totals[parts] = totals.get(parts, 0.0) + smoothed[token]
    shares = smoothed / smoothed.sum() * len(counts)
    for token, parts in sources.items():
        others = 0.0 if len(parts) == 1 else sum(totals.get((part,), 0.0) for part in parts) / len(parts)
        shares[token] = smoothed[token] / (totals[parts] + others)
    log_shares: NDArray[np.float32] = np.log(shares).astype(np.float32)
    return log_shares
