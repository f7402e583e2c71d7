"""A run that was interrupted and resumed ends as one that was never stopped, bit for bit."""

from pathlib import Path

import pytest

from charlm import api
from charlm.config import TokenizerConfig
from charlm.storage.resume_file import load_resume_file

SUBWORDS = TokenizerConfig(kind="subword", vocab_size=320)
WORDS = TokenizerConfig(kind="word")
SETTINGS = {
    "characters": {},
    "lines": {"corpus": {"documents": "line"}},
    "subwords": {"tokenizer": SUBWORDS},
    "lines of subwords": {"corpus": {"documents": "line"}, "tokenizer": SUBWORDS},
    "sampled softmax": {"model": {"ngram_order": 4}, "tokenizer": WORDS, "softmax_samples": 100},
    "n-grams": {"model": {"ngram_order": 4}},
    "vectors of n-grams": {"model": {"ngram_order": 4, "context_vectors": 50}},
    "wide vectors of n-grams": {"model": {"ngram_order": 4, "context_vectors": 50, "embedding_size": 40}},
    "match": {"model": {"match": True, "ngram_order": 4}},
    "labels": {"corpus": {"text_column": "text", "label_column": ("stars", "author")}, "model": {"ngram_order": 4}},
    "labels of a transformer": {
        "corpus": {"text_column": "text", "label_column": "stars"},
        "model": {"network": "transformer", "attention_span": 20, "match": True},
    },
    "pairs": {"corpus": {"source_column": "word", "target_column": "written"}, "model": {"match": True}},
    "recent": {"model": {"match": True, "recent": True, "ngram_order": 4}},
    "transformer": {"model": {"network": "transformer", "ngram_order": 4, "match": True, "attention_span": 20}},
    "convolution": {"model": {"network": "convolution"}, "corpus": {"documents": "line"}, "optimizer": "muon"},
    "bfloat16": {"precision": "bfloat16", "optimizer": "muon", "averaging": 0.3},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_resumed_run_equals_an_unbroken_one(
    train_run,
    small_shape: dict,
    stop_after,
    weights_of,
    same_weights,
    records_of,
    labelled_reviews,
    table_of_pairs,
    settings: dict,
) -> None:
    settings = settings | {"model": small_shape | settings.get("model", {})}
    if "text_column" in settings.get("corpus", {}):
        settings["source"] = labelled_reviews
    elif "source_column" in settings.get("corpus", {}):
        settings["source"] = table_of_pairs
    train_run("runs/whole", **settings)
    train_run("runs/broken", callbacks=stop_after(17), **settings)
    assert not same_weights(weights_of("runs/broken"), weights_of("runs/whole"))
    outcome = api.resume_run("runs/broken", callbacks=stop_after(20)).outcome
    assert (outcome.finished, outcome.step) == (False, 37)
    outcome = api.resume_run("runs/broken").outcome
    assert (outcome.finished, outcome.step) == (True, 60)
    for name in ("model.safetensors", "resume.safetensors"):
        assert same_weights(weights_of("runs/broken", name), weights_of("runs/whole", name))
    files = [Path(run) / "resume.safetensors" for run in ("runs/broken", "runs/whole")]
    assert same_weights(*(load_resume_file(path)[1].tensors for path in files))
    clock = {"seconds": None}
    broken, whole = ([record | clock for record in records_of(run)] for run in ("runs/broken", "runs/whole"))
    assert broken == whole and len(whole) == 15
    assert Path("runs/broken/samples.txt").read_text() == Path("runs/whole/samples.txt").read_text()
