"""The compiled choice against the one on NumPy: the same tokens from the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.native.compiler import compiler
from charlm.sampling import SampleConfig
from charlm.sampling.controls import NO_TOKEN, Controls
from charlm.sampling.draws import CompiledDraw
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import CharTokenizer

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


@pytest.fixture(scope="session")
def vocabulary(letters: CharTokenizer) -> Vocabulary:
    """The letters as the sampler sees them."""
    return Vocabulary(letters)


@pytest.fixture(scope="session")
def both(vocabulary: Vocabulary):
    """Draw tokens and their scores by either path."""

    def both(config: SampleConfig, logits: np.ndarray, numbers: list[float]) -> list[tuple]:
        streams = [TextStream(vocabulary, config) for _ in numbers]
        drawn = []
        for unused in ("draw", "CompiledDraw.__call__"):
            with pytest.MonkeyPatch.context() as patch:
                if unused != "draw":
                    patch.setattr("charlm.sampling.draws.native_library", lambda: None)
                controls = Controls(vocabulary, config)
                patch.setattr(f"charlm.sampling.controls.{unused}", lambda *_, **__: pytest.fail("the other path"))
                numbers_of = [iter([number]).__next__ for number in numbers]
                drawn.append(controls.draw(logits, streams, numbers_of, score=True))
        return drawn

    return both


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.sampled_from([1e-3, 0.1, 1.0, 7.0]),
    st.sampled_from([0.1, 3.0, 300.0]),
    st.integers(0, 1),
    st.sampled_from([(), ("a=+2", "c=-3"), ("b=-1000",)]),
)
def test_both_paths_draw_alike(
    both,
    letters,
    sample_config,
    seed: int,
    rows: int,
    temperature: float,
    spread: float,
    least: int,
    bias: tuple[str, ...],
) -> None:
    random = np.random.default_rng(seed)
    logits = (spread * random.normal(size=(rows, letters.vocab_size))).astype(np.float32)
    config = sample_config(temperature=temperature, min_length=least, bias=bias, length=5)
    (tokens, scores), (wanted, wanted_scores) = both(config, logits, random.random(rows).tolist())
    assert tokens == wanted
    assert scores == pytest.approx(wanted_scores, abs=1e-9)


def test_the_ends_of_the_unit_interval(both, letters) -> None:
    logits = np.zeros((2, letters.vocab_size), np.float32)
    (tokens, _), (wanted, _) = both(SampleConfig(), logits, [0.0, 1 - 2**-53])
    assert tokens == wanted == [letters.eos, letters.vocab_size - 1]


def test_where_nothing_may_be_written_there_is_no_token(both, letters) -> None:
    config = SampleConfig(ban=tuple("abcdef"), min_length=1, length=3)
    logits = np.zeros((1, letters.vocab_size), np.float32)
    (tokens, _), (wanted, _) = both(config, logits, [0.5])
    assert tokens == wanted == [NO_TOKEN]


def test_other_controls_take_the_other_path(sample_config, vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(CompiledDraw, "__init__", lambda *arguments: made.append(arguments))
    for settings in ({"top_k": 3}, {"temperature": 0}, {"temperature": "0.5..1"}, {"ban": ("ab",)}, {"typical": 0.5}):
        Controls(vocabulary, sample_config(**settings))
    Controls(vocabulary, SampleConfig(repetition_penalty=2))
    assert not made
    Controls(vocabulary, SampleConfig())
    assert len(made) == 1


def test_texts_and_scores_are_the_same(letters, uneven, write_texts, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"length": 30, "temperature": 0.8, "prefix": "ab"}
    found = write_texts(uneven(letters), letters, 20, **settings)
    monkeypatch.setattr("charlm.sampling.draws.native_library", lambda: None)
    wanted = write_texts(uneven(letters), letters, 20, **settings)
    assert [(one.text, one.ended) for one in found] == [(one.text, one.ended) for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-9)
