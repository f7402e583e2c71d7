"""Training that starts from another model: its network in the vocabulary of the new text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm import api
from charlm.analysis.runs.listing import list_runs
from charlm.errors import ConfigError
from charlm.ngram.match import BUCKETS
from charlm.storage.checkpoint import load
from charlm.tokenizers.char import CharTokenizer
from charlm.training.start.fine_tuning import StartModel, inherit, knows_the_script, load_start_model, sources_of
from charlm.training.start.model_config import with_start_model

ENGLISH = "The cat sat on the mat, and the dog ran to the door. " * 60
FRENCH = "L\u2019été, la forêt dormait ; le chat aussi. " * 60
TINY = {"steps": 1, "learning_rate": 1e-12, "weight_decay": 0}


@pytest.fixture
def english(write, train_run) -> StartModel:
    train_run("runs/english", source=write(ENGLISH, "english.txt"))
    start = load_start_model("runs/english")
    assert start is not None
    return start


def tokens(tokenizer: CharTokenizer, text: str) -> list[int]:
    return tokenizer.encode(text).tolist()


def test_a_new_character_is_made_from_the_nearest_text() -> None:
    start, tokenizer = CharTokenizer(" ',.Taest"), CharTokenizer("eéж\u2019")
    sources = sources_of(tokenizer, start)
    assert sources[tokenizer.bos] == (start.bos,)
    assert sources[tokens(tokenizer, "e")[0]] == sources[tokens(tokenizer, "é")[0]] == tuple(tokens(start, "e"))
    assert sources[tokens(tokenizer, "\u2019")[0]] == tuple(tokens(start, "'"))
    assert tokens(tokenizer, "ж")[0] not in sources


def test_a_rare_character_made_from_two_is_as_rare_at_first(english: StartModel, dataset_of, network) -> None:
    """ß, which is made from tt here, is not written in place of t."""
    new = dataset_of("The cat sat on the mat, and the dog sat on the maß. " + ENGLISH)
    model = network(**english.model.config.to_json() | {"vocab_size": new.tokenizer.vocab_size})
    english.model.prior = model.prior = english.model.match = model.match = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("charlm.training.start.fine_tuning.nearest_text", lambda character, known: "tt")
        inherit(model, english, new)
    rare, common = tokens(new.tokenizer, "ßt")
    assert model.output_bias[rare] < model.output_bias[common] - 4


def test_the_same_characters_are_predicted_as_before(english: StartModel, dataset_of, network) -> None:
    """Characters that share a source also share its probability, and the others keep theirs."""
    new = dataset_of("The cät sat on the mat, and the dog ran to the dööör. " * 60)
    model = network(**english.model.config.to_json() | {"vocab_size": new.tokenizer.vocab_size})
    english.model.prior = model.prior = None
    english.model.match = model.match = None
    inherit(model, english, new)
    text = "the dog ran to the cat"
    ids = torch.tensor(tokens(english.tokenizer, text))[:, None]
    before = torch.softmax(english.model.eval()(ids)[0], -1)[:, 0]  # (T, V)
    after = torch.softmax(model.eval()(torch.tensor(tokens(new.tokenizer, text))[:, None])[0], -1)[:, 0]
    for letters in ("a", "h", "s"):
        own = tokens(new.tokenizer, letters + {"a": "ä"}.get(letters, ""))
        torch.testing.assert_close(after[:, own].sum(1), before[:, tokens(english.tokenizer, letters)].sum(1))


@pytest.mark.parametrize(("before", "after"), [(False, False), (False, True), (True, False), (True, True)])
def test_the_gate_of_a_match_is_kept_with_and_without_recent_contexts(
    english: StartModel, dataset_of, network, before: bool, after: bool
) -> None:
    new = dataset_of("The cat sat on the mat, and the dog ran to the door. " * 60)
    values = english.model.config.to_json() | {"ngram_order": 0, "context_vectors": 0, "match": True}
    base = network(**values | {"recent": before})
    model = network(**values | {"vocab_size": new.tokenizer.vocab_size, "recent": after})
    assert base.match is not None and model.match is not None
    with torch.no_grad():
        for weight in base.match.parameters():
            weight.normal_()
    inherit(model, replace(english, model=base), new)
    assert torch.equal(model.match.gate[:BUCKETS], base.match.gate[:BUCKETS])
    if before == after:
        assert all(map(torch.equal, model.match.parameters(), base.match.parameters()))
    elif after:
        assert not model.match.gate[BUCKETS:].any() and not model.match.weight.any()


def test_no_letter_of_the_new_text_is_unknown(english: StartModel, write) -> None:
    trained = api.train_run(write(FRENCH, "french.txt"), run="runs/fr", init_from="runs/english", training=TINY)
    assert trained.dataset.train.facts.unknown_characters == 0
    model = load(Path("runs/fr/model.safetensors"))
    assert set("’éê") <= set(model.tokenizer.characters)
    assert "T" not in model.tokenizer.characters  # which the text lacks
    recurrent = english.model.recurrent.state_dict()
    for name, value in model.model.recurrent.state_dict().items():
        torch.testing.assert_close(value, recurrent[name], msg=name)


def test_a_run_that_saved_nothing_yet_begins_as_before(english: StartModel, write, stop_after) -> None:
    source = write(FRENCH, "french.txt")
    length = {"steps": 3, "batch_size": 4, "seq_len": 16}
    unbroken = api.train_run(source, run="runs/a", init_from="runs/english", training=length)
    api.train_run(source, run="runs/b", init_from="runs/english", training=length, callbacks=stop_after(1))
    Path("runs/b/resume.safetensors").unlink()
    Path("runs/b/model.safetensors").unlink()
    api.resume_run("runs/b")
    assert unbroken.outcome.finished
    first, second = (load(Path(f"runs/{name}/model.safetensors")).model.state_dict() for name in "ab")
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_a_model_of_another_script_is_left_out(english: StartModel, write, caplog: pytest.LogCaptureFixture) -> None:
    text = write("Привет, как твои дела? Хорошо. " * 60, "russian.txt")
    trained = api.train_run(text, run="runs/ru", init_from="runs/english", training=TINY)
    assert not knows_the_script(english, trained.dataset)
    assert "knows only" in caplog.text and "so the run begins with a new model" in caplog.text
    scratch = api.train_run(text, run="runs/new", training=TINY)
    assert scratch.outcome == trained.outcome or np.isclose(scratch.outcome.best or 0, trained.outcome.best or 0)
    assert load(Path("runs/ru/model.safetensors")).model.config == load(Path("runs/new/model.safetensors")).model.config


def test_its_settings_are_those_of_fine_tuning(english: StartModel, write) -> None:
    source = write(ENGLISH, "again.txt")
    api.train_run(source, run="runs/b", init_from="runs/english", training={"steps": 1})
    config = load(Path("runs/b/model.safetensors")).training.config
    assert (config.optimizer, config.batch_size) == ("adamw", 16)
    assert {summary.run: summary.network for summary in list_runs()}["b"] == "lstm 2x16"
    assert load(Path("runs/b/model.safetensors")).training.began_with == english.facts
    assert english.facts.name == "english"
    api.resume_run("runs/b", lengths={"steps": 2})
    assert load(Path("runs/b/model.safetensors")).training.began_with == english.facts
    api.train_run(source, run="runs/c", training={"steps": 1})
    assert load(Path("runs/c/model.safetensors")).training.began_with is None
    assert load(Path("runs/c/model.safetensors")).training.config.optimizer == "muon"


@pytest.mark.parametrize("order", [0, 2])
def test_context_vectors_are_left_out_with_the_ngrams_they_stand_for(write, order: int) -> None:
    source = write(ENGLISH, "english.txt")
    api.train_run(source, run="runs/english", model={"ngram_order": 5, "context_vectors": 8}, training=TINY)
    api.train_run(source, run="runs/b", init_from="runs/english", model={"ngram_order": order}, training=TINY)
    config = load(Path("runs/b/model.safetensors")).model.config
    assert (config.ngram_order, config.context_vectors) == (order, 0)


@pytest.mark.parametrize(
    ("field", "value", "had"),
    [
        ("hidden_size", 17, "--hidden 16"),
        ("num_layers", 1, "--layers 2"),
        ("embedding_size", 9, "--embedding 8"),
        ("tie_weights", True, "--no-tie-weights"),
    ],
)
def test_a_changed_shape_is_refused_by_the_name_of_its_option(
    field: str, value: object, had: str, network, tmp_path: Path
) -> None:
    shape = {"hidden_size": 16, "num_layers": 2, "embedding_size": 8}
    start = StartModel(path=tmp_path, model=network(**shape), tokenizer=CharTokenizer("abc"))
    given = "--tie-weights" if value is True else f"--{had.split()[0].strip('-')} {value}"
    with pytest.raises(ConfigError, match=f"^the model of --init-from, {tmp_path}, has {had}; leave out {given}$"):
        with_start_model({field: value}, start)
