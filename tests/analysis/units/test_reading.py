import base64
import json
import math
import re

import numpy as np
import pytest
import torch

from charlm.analysis.html.heatmap_page import page
from charlm.analysis.units.activations import follow
from charlm.analysis.units.reading import read
from charlm.config import TokenizerConfig
from charlm.errors import ConfigError, UnknownCharacterError
from charlm.model.unit import Unit


@pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])
@pytest.mark.parametrize("unit", [Unit(layer=0, number=3), Unit(layer=1, number=5, cell_state=True)])
def test_it_is_what_a_plain_loop_gives(dataset_of, sentences: str, network_for, kind: str, unit: Unit) -> None:
    dataset = dataset_of(sentences + "an öwl — ", TokenizerConfig(kind=kind, vocab_size=330), splits=(100, 0, 0))
    model, tokenizer = network_for(dataset).eval(), dataset.tokenizer
    text = "owl and the öwl — a cat"
    found = read(model, tokenizer, text, unit=unit, window=7)
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
def test_a_gate_is_followed_over_windows(dataset, network_for, cell: str, gate: str) -> None:
    model = network_for(dataset, cell=cell).eval()
    unit = Unit.parse_gate(f"1:4:{gate}")
    whole = read(model, dataset.tokenizer, "cat and dog", unit=unit).values
    cut = read(model, dataset.tokenizer, "cat and dog", unit=unit, window=3).values
    assert cut == pytest.approx(whole, abs=1e-5)
    ids = torch.tensor([dataset.tokenizer.bos, *dataset.tokenizer.encode("cat and dog").tolist()])[:, None]
    with torch.inference_mode():
        expected = follow(model, ids, model.initial_state(1))[0][1].gates[gate][1:, 0, 4]
    assert whole == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_page_needs_nothing_else_and_holds_the_figures(dataset, network_for) -> None:
    model = network_for(dataset).eval()
    text = "cat </script> and <b>"
    found = read(model, dataset.tokenizer, text, unit=Unit(layer=0, number=1), unknown="replace")
    made = page(found, dataset.tokenizer, title="<cats> & dogs", unit=Unit(layer=0, number=1))
    assert "&lt;cats&gt; &amp; dogs" in made and "unit 0:1" in made
    assert "http" not in made and "src=" not in made and made.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', made, re.DOTALL)[1])
    places = np.frombuffer(base64.b64decode(data["places"]), dtype="<u4")
    assert [data["texts"][place] for place in places] == list(found.texts)
    bits = np.frombuffer(base64.b64decode(data["bits"]), dtype="<u2")
    assert bits / 1000 == pytest.approx(found.bits, abs=6e-4)
    likeliest = np.frombuffer(base64.b64decode(data["likeliest"]), dtype="<u2")
    assert likeliest.tolist() == found.likeliest.ravel().tolist()


@pytest.mark.parametrize(
    ("unit", "message"),
    [(Unit(layer=2, number=0), "--unit names layer 2"), (Unit(layer=0, number=1, gate="g"), "--gate names gate g")],
)
def test_a_unit_that_the_model_lacks_is_an_error(dataset, network_for, unit: Unit, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(network_for(dataset).eval(), dataset.tokenizer, "cat", unit=unit)


def test_no_text_and_unknown_characters_are_errors(dataset, network_for) -> None:
    model = network_for(dataset).eval()
    with pytest.raises(ConfigError, match="no text to read"):
        read(model, dataset.tokenizer, "")
    with pytest.raises(UnknownCharacterError):
        read(model, dataset.tokenizer, "é")
