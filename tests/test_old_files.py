"""Files made by charlm 0.1.0 before its source was reorganised: they load, score, sample and resume as they did."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import charlm
from charlm.sampling.config import parse_bias, parse_steer, parse_temperature
from charlm.text_model import writing

OLD = Path(__file__).parent / "data" / "v0.1"
EXPECTED = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))
CONFIGS = {
    "plain": charlm.SampleConfig(temperature=0.8, length=120),
    "controls": charlm.SampleConfig(
        temperature=parse_temperature("0.5..1.2"),
        top_k=20,
        top_p=0.95,
        min_p=0.01,
        repetition_penalty=1.1,
        bias=(parse_bias("e=-1"),),
        ban=("king",),
        length=120,
        min_length=50,
    ),
    "steered": charlm.SampleConfig(steer=(parse_steer("mood=+2"),), length=120, temperature=0.7),
    "unit": charlm.SampleConfig(steer=(parse_steer("1:3:c=0.5"), parse_steer("0:2=0.1")), length=80, temperature=1.0),
    "prefix": charlm.SampleConfig(length=80, temperature=0.5),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", [*CONFIGS])
def test_the_same_seed_writes_the_same_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "needs_opening", lambda corpus: False)  # in 0.1 a text began where the text file does
    model = charlm.load(OLD / "finished")
    prefix = "The cat" if name == "prefix" else ""
    assert model.sample(prefix, CONFIGS[name], seed=5) == EXPECTED["sample"]["finished"][name]


@pytest.mark.parametrize("name", ["gru", "mlstm", "rnn-skip", "subword"])
def test_other_cells_and_tokens_write_the_same_text(name: str) -> None:
    config = charlm.SampleConfig(temperature=0.7, length=100)
    assert charlm.load(OLD / name).sample("The ri", config, seed=5) == EXPECTED["sample"][name]["plain"]


def test_a_beam_finds_the_same_texts() -> None:
    model = charlm.load(OLD / "finished")
    found = model.beam("The dog", charlm.SampleConfig(length=30), width=8, num=2)
    assert [one.text for one in found] == EXPECTED["beam"]


@pytest.mark.parametrize("name", [*EXPECTED["evaluate"]])
def test_a_text_has_the_same_score(name: str) -> None:
    score = charlm.load(OLD / name).evaluate(OLD / "text.txt")
    assert score.nats == pytest.approx(EXPECTED["evaluate"][name], rel=1e-5)


def test_a_gap_is_filled_with_the_same_texts() -> None:
    forward, backward = charlm.load_infill_models(OLD / "gru", OLD / "backward")
    config = charlm.FillConfig(length=12, beam=16, candidates=32)
    found = forward.fill(backward, "The cat ", " the dog", num=3, config=config)
    assert [one.text for one in found] == EXPECTED["fill"]


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    shutil.copytree(OLD / "stopped", run)
    model = charlm.resume(run, text=OLD / "text.txt")
    training = model.checkpoint.training
    assert training.validation_nats_per_token == pytest.approx(EXPECTED["resumed"]["best"], rel=0.02)
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1] == EXPECTED["resumed"]["step"] and steps == sorted(steps)
