"""The n-gram models of label values as a second opinion on which value a document has.

`charlm classify` uses the mean of the nats of the network and of these (docs/notes/experiments.md). The network then
scores without them, so that the two are independent.
"""

from collections.abc import Sequence

import numpy as np

from charlm.model.language_model import LanguageModel
from charlm.ngram.kneser_ney import Floats
from charlm.ngram.score import token_nats
from charlm.tokenizers import Tokenizer

_SHARE = 0.9  # of the model of a value; the rest is that of the n-gram model of all documents


def ngram_nats(model: LanguageModel, tokenizer: Tokenizer, texts: Sequence[str], values: slice) -> Floats:
    """Nats of K documents, with their ends, by the n-gram models of M values, (K, M).

    Args:
        model: a model with `label_ngrams`.
        tokenizer: the tokenizer of the model.
        texts: the documents.
        values: which of the values of all labels.
    """
    assert model.prior is not None and model.prior.ngram is not None and model.label_ngrams is not None
    documents = [[tokenizer.bos, *ids.tolist(), tokenizer.eos] for ids in tokenizer.encode_all(texts)]
    ids = np.array([token for document in documents for token in document])
    starts = np.cumsum([0, *map(len, documents[:-1])])
    of_all = (1 - _SHARE) * np.exp(-token_nats(model.prior.ngram, ids))
    nats = (-np.log(_SHARE * np.exp(-token_nats(one, ids)) + of_all) for one in model.label_ngrams.models[values])
    return np.stack([np.add.reduceat(each, starts) for each in nats], axis=1)
