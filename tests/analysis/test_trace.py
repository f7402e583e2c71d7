"""The toy learns its word, and its trace is what the model computes."""

import pytest
import torch

from charlm.analysis.trace import BOS, EOS, trace
from charlm.cells import CELLS
from charlm.config import ModelConfig
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_defaults_learn_hello(seed: int) -> None:
    toy = trace("hello", seed=seed)
    assert toy.learnt and toy.written == "hello"
    assert [step.says for step in toy.after] == [*"hello", EOS]
    assert not all(step.says == step.target for step in toy.before)
    assert toy.losses[-1] < 0.1 < toy.losses[0] and len(toy.losses) == 500


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_can_be_traced(cell: str) -> None:
    toy = trace("hello", cell=cell, hidden_size=5, steps=3)
    assert toy.cell == cell
    for step in (*toy.before, *toy.after, *toy.generation):
        assert tuple(step.states) == CELLS[cell].states
        assert all(len(values) == 5 for values in step.states.values())


def test_a_step_tells_input_distribution_and_target() -> None:
    toy = trace("hello", steps=1)
    assert [step.reads for step in toy.before] == [BOS, *"hello"]
    assert [step.target for step in toy.before] == [*"hello", EOS]
    for step in toy.before:
        assert list(step.distribution) == ["e", "h", "l", "o", EOS]
        assert sum(step.distribution.values()) == pytest.approx(1)
        assert step.distribution[step.says] == max(step.distribution.values())


def test_generation_reads_what_it_wrote() -> None:
    toy = trace("abcabd", steps=40)
    assert toy.generation[0].reads == BOS
    assert [step.reads for step in toy.generation[1:]] == [step.says for step in toy.generation[:-1]]
    assert all(step.target is None for step in toy.generation)
    assert toy.generation[-1].says == EOS or len(toy.generation) == 20


def test_teacher_forcing_and_generation_agree_once_the_word_is_learnt() -> None:
    toy = trace("hello")
    for read, written in zip(toy.after, toy.generation, strict=True):
        assert read.states == written.states and read.distribution == written.distribution


def test_the_first_hidden_state_is_the_equation() -> None:
    """Untrained, from an empty past: h = tanh(V x + b), and the seed decides it."""
    model = LanguageModel(ModelConfig(vocab_size=7, cell="rnn", hidden_size=3, embedding_size=8))
    model.initialise(torch.Generator().manual_seed(9))
    layer = model.recurrent.layers[0]
    expected = torch.tanh(layer.input @ model.embedding[0] + layer.bias)
    assert trace("hello", steps=1, seed=9).before[0].states["h"] == pytest.approx(expected.tolist(), rel=1e-5)


def test_what_is_not_learnt_is_said() -> None:
    assert not trace("hello", steps=1).learnt


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "--text has 0 characters; give 1 to 64"),
        ("x" * 65, {}, "--text has 65 characters"),
        ("a\udcff", {}, "--text is not valid Unicode"),
        ("hello", {"steps": 0}, "--steps is 0"),
        ("hello", {"hidden_size": 0}, "--hidden is 0"),
        ("hello", {"cell": "lsmt"}, "'lsmt'; choose one of"),
    ],
)
def test_a_wrong_setting_is_named(text: str, options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        trace(text, **options)
