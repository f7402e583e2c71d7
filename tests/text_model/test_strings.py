import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.dataset import Dataset, make_dataset
from charlm.errors import ConfigError
from charlm.evaluation.score import evaluate
from charlm.evaluation.words import count_words
from charlm.model.language_model import LanguageModel
from charlm.text_model.strings import score_text, surprisal

TEXT = "cat and the cat,\n\na 3 of cats.\r\nowl é"


@pytest.fixture(params=["char", "byte", "subword"])
def trained(request, dataset_of: Callable[..., Dataset], network_for, sentences: str) -> tuple[LanguageModel, Dataset]:
    dataset = dataset_of(sentences, TokenizerConfig(kind=request.param, vocab_size=300))
    return network_for(dataset).eval(), dataset


@pytest.mark.parametrize("documents", ["file", "line", "paragraph"])
def test_a_string_scores_as_a_file_with_it(trained, corpus_of, documents: str) -> None:
    model, dataset = trained
    corpus = corpus_of(TEXT, documents=documents, splits=(100, 0, 0))
    in_file = make_dataset(corpus, dataset.tokenizer)
    expected = evaluate(model, dataset.tokenizer, in_file.train)
    found = score_text(model, dataset.tokenizer, TEXT, CorpusConfig(documents=documents))
    words = count_words(corpus.split_parts("train"))
    assert found == replace(expected, words=words)


def test_the_surprisal_of_all_characters_is_the_score_without_the_end(trained) -> None:
    model, dataset = trained
    nats = surprisal(model, dataset.tokenizer, TEXT)
    assert len(nats) == len(TEXT) and all(one >= 0 for one in nats)
    whole = score_text(model, dataset.tokenizer, TEXT, CorpusConfig())
    end = whole.nats - math.fsum(nats)
    assert 0 < end < whole.nats
    assert surprisal(model, dataset.tokenizer, "") == []


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_string_has_no_score(trained, text: str) -> None:
    model, dataset = trained
    with pytest.raises(ConfigError, match="no text to score"):
        score_text(model, dataset.tokenizer, text, CorpusConfig(documents="paragraph"))
