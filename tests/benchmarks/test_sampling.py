"""The programs that the benchmark of sampling compares."""

import pytest
import sampling_programs
from sampling import Size
from sampling_programs import charlm_writer, made_up_words, make_network, model_writer, programs_of

from charlm.sampling import steppers

compiled = pytest.mark.skipif(steppers.CompiledStepper is None, reason="needs a C compiler")


@compiled
@pytest.mark.parametrize("texts", [1, 2])
@pytest.mark.parametrize("match", [False, True])
def test_every_program_writes(texts: int, match: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling_programs, "made_up_words", lambda _: made_up_words(2000))
    network = make_network("lstm", Size(1, 8, texts, 3, 10, match=match))
    assert all(program() > 0 for program in programs_of(network, texts, 20).values())


@compiled
def test_the_model_is_called_instead_of_the_compiled_step(monkeypatch: pytest.MonkeyPatch) -> None:
    network, calls = make_network("lstm", Size(1, 8, 1)), []
    forward = type(network[0]).forward
    monkeypatch.setattr(
        type(network[0]), "forward", lambda *arguments, **named: calls.append(1) or forward(*arguments, **named)
    )
    charlm_writer(network, 1)(20)
    assert len(calls) < 20
    model_writer(network, 1)(20)
    assert len(calls) >= 20
