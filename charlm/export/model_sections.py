"""The parts of a model that a page needs: its weights as sections, and the configuration for `page/network.js`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from charlm.export.prior_codec import MIDDLE, STEP
from charlm.export.rounding import RoundedRows
from charlm.export.sections import Sections
from charlm.export.tokenizer_json import tokenizer_values
from charlm.model.additions.match import MOST_STRETCHED, SCALE
from charlm.model.language_model import LanguageModel
from charlm.ngram import recent
from charlm.ngram.match import BUCKETS, MOST_MISSES, VERIFIED, WINDOW
from charlm.ngram.model import FREQUENT_LENGTHS
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.subword import SubwordTokenizer


def add_model(
    sections: Sections, model: LanguageModel, rounded: Mapping[str, RoundedRows], tokenizer: Tokenizer
) -> None:
    """Add a model but for its n-grams, and its tokenizer; the arguments are from `rounded_model`."""
    for name, weights in model.named_parameters():
        if name in rounded:
            sections.add_rows(name, rounded[name].scales, rounded[name].levels)
        else:
            sections.add_singles(name, weights.detach().numpy())
    sections.add_text("tokenizer", json.dumps(tokenizer_values(tokenizer), ensure_ascii=False, separators=(",", ":")))
    if isinstance(tokenizer, SubwordTokenizer):
        sections.add_singles("tokenizer.scores", tokenizer.scores)


def add_context_nodes(sections: Sections, model: LanguageModel) -> None:
    """Add the nodes of the context vectors, ascending, each as its distance from the one before."""
    if model.contexts is not None and model.prior is not None and model.prior.ngram is not None:
        nodes = model.prior.ngram.frequent[: len(model.contexts.vectors) - 1]
        sections.add_integers("contexts.nodes", np.diff(nodes, prepend=0))


def page_config(model: LanguageModel, *, opening: bool) -> dict[str, Any]:
    """The configuration of the page's network; `opening` as in `charlm.sampling.generate`."""
    config, prior, match = model.config, model.prior, model.match
    return {
        "hiddenSize": config.hidden_size,
        "embeddingSize": config.embedding_size,
        "vocabSize": config.vocab_size,
        "numLayers": config.num_layers,
        "residual": config.skip == "residual",
        "tied": model.output is None,
        "opening": opening,
        "labels": [{"name": label.name, "values": label.values} for label in config.labels],
        "ngram": None
        if prior is None
        else {"order": prior.order, "orders": prior.orders, "step": STEP, "middle": MIDDLE},
        "contexts": None if model.contexts is None else {"longest": FREQUENT_LENGTHS[1]},
        "match": None
        if match is None
        else {
            "longer": match.lengths.longer,
            "shorter": match.lengths.shorter,
            "recent": match.lengths.recent,
            "slots": recent.SLOTS,
            "history": recent.HISTORY,
            "kinds": recent.KINDS,
            "buckets": BUCKETS,
            "window": WINDOW,
            "verified": VERIFIED,
            "mostMisses": MOST_MISSES,
            "scale": SCALE,
            "mostStretched": MOST_STRETCHED,
        },
    }
