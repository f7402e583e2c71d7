import json
import math
import re

import numpy as np
import pytest
import torch
from conftest import TEXT
from test_evaluate import model_for

from charlm.analysis import reading
from charlm.analysis.html.reading_page import page
from charlm.analysis.units.activations import follow
from charlm.analysis.units.reading import read
from charlm.config import TokenizerConfig
from charlm.errors import ConfigError, UnknownCharacterError
from charlm.model.unit import Unit


@pytest.mark.parametrize("kind", ["char", "byte", "subword"])
@pytest.mark.parametrize("unit", [Unit(layer=0, number=3), Unit(layer=1, number=5, cell_state=True)])
def test_it_is_what_a_plain_loop_gives(dataset_of, kind: str, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_WINDOW", 7)
    dataset = dataset_of(TEXT + "an öwl — ", TokenizerConfig(kind=kind, vocab_size=330), splits=(100, 0, 0))
    model, tokenizer = model_for(dataset).eval(), dataset.tokenizer
    text = "owl and the öwl — a cat"
    found = read(model, tokenizer, text, unit=unit)
    assert "".join(found.texts) == text
    states, token = None, tokenizer.bos
    for index, following in enumerate(tokenizer.encode(text).tolist()):
        with torch.no_grad():
            logits, states = model(torch.tensor([[token]]), states)
            _, after = model(torch.tensor([[following]]), states)
        p = torch.softmax(logits[0, 0], dim=0)
        assert found.bits[index] == pytest.approx(-math.log2(p[following]), rel=1e-4)
        best = p.topk(5)
        assert found.likeliest[index].tolist() == best.indices.tolist()
        assert found.probabilities[index] == pytest.approx(best.values.numpy(), rel=1e-4)
        value = after[unit.layer][1 if unit.cell_state else 0][0, unit.number].item()
        assert found.values[index] == pytest.approx(value, rel=1e-3, abs=1e-5)
        token = following


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "o"), ("gru", "u"), ("mingru", "z")])
def test_a_gate_is_followed_over_windows(dataset_of, cell: str, gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset, cell=cell).eval()
    unit = Unit.parse_gate(f"1:4:{gate}")
    whole = read(model, dataset.tokenizer, "cat and dog", unit=unit).values
    monkeypatch.setattr(reading, "_WINDOW", 3)
    assert read(model, dataset.tokenizer, "cat and dog", unit=unit).values == pytest.approx(whole, abs=1e-5)
    ids = torch.tensor([dataset.tokenizer.bos, *dataset.tokenizer.encode("cat and dog").tolist()])[:, None]
    with torch.inference_mode():
        expected = follow(model, ids, model.initial_state(1))[0][1].gates[gate][1:, 0, 4]
    assert whole == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_page_needs_nothing_else_and_holds_the_figures(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset).eval()
    text = "cat </script> and <b>"
    found = read(model, dataset.tokenizer, text, unit=Unit(layer=0, number=1), unknown="replace")
    made = page(found, dataset.tokenizer, title="<cats> & dogs", unit=Unit(layer=0, number=1))
    assert "&lt;cats&gt; &amp; dogs" in made and "unit 0:1" in made
    assert "http" not in made and "src=" not in made and made.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', made, re.DOTALL)[1])
    import base64

    places = np.frombuffer(base64.b64decode(data["places"]), dtype="<u4")
    assert [data["texts"][place] for place in places] == list(found.texts)
    bits = np.frombuffer(base64.b64decode(data["bits"]), dtype="<u2")
    assert bits / 1000 == pytest.approx(found.bits, abs=6e-4)
    likeliest = np.frombuffer(base64.b64decode(data["likeliest"]), dtype="<u2")
    assert likeliest.tolist() == found.likeliest.ravel().tolist()


@pytest.mark.parametrize("text", ["", "1", "1:2:h", "a:b", "-1:2", "0:1:c:c"])
def test_a_unit_in_another_form_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="--unit is"):
        Unit.parse(text)


@pytest.mark.parametrize("text", ["", "0:1", "0:1:", "0:f:1", "0:1:f:f"])
def test_a_gate_in_another_form_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="--gate is"):
        Unit.parse_gate(text)


@pytest.mark.parametrize(
    ("cell", "gate", "message"),
    [
        ("lstm", "2:0:f", "--gate names layer 2; the model has 2"),
        ("lstm", "0:12:f", "--gate names unit 12; a layer has 12"),
        ("lstm", "0:1:g", "--gate names gate g; the gates of the cell lstm are i, f, o"),
        ("gru", "0:1:f", "--gate names gate f; the gates of the cell gru are r, u"),
        ("rnn", "0:1:f", "--gate names gate f; the cell rnn has no gates; --unit shows its state"),
    ],
)
def test_a_gate_that_is_not_there_is_an_error(dataset_of, cell: str, gate: str, message: str) -> None:
    dataset = dataset_of(TEXT)
    with pytest.raises(ConfigError, match=message):
        read(model_for(dataset, cell=cell).eval(), dataset.tokenizer, "cat", unit=Unit.parse_gate(gate))


@pytest.mark.parametrize(
    ("unit", "message"),
    [("2:0", "names layer 2; the model has 2"), ("0:12", "names unit 12; a layer has 12"), ("0:1:c", "has none")],
)
def test_a_unit_that_is_not_there_is_an_error(dataset_of, unit: str, message: str) -> None:
    dataset = dataset_of(TEXT)
    with pytest.raises(ConfigError, match=message):
        read(model_for(dataset, cell="rnn").eval(), dataset.tokenizer, "cat", unit=Unit.parse(unit))


def test_no_text_and_unknown_characters_are_errors(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset).eval()
    with pytest.raises(ConfigError, match="no text to read"):
        read(model, dataset.tokenizer, "")
    with pytest.raises(UnknownCharacterError):
        read(model, dataset.tokenizer, "é")
