"""Units that mean something: planted ones are found, and chance confirms nothing."""

import json
import logging
import random
import re

import numpy as np
import pytest
import torch

from charlm.analysis.html.neurons_page import neurons_page
from charlm.analysis.units.activations import follow
from charlm.analysis.units.neurons import find_neurons
from charlm.config import LabelColumn, TokenizerConfig
from charlm.errors import ConfigError, UnknownCharacterError
from charlm.model.language_model import LanguageModel

pytestmark = pytest.mark.usefixtures("one_thread")


def prose(seed: int, length: int = 300) -> str:
    """Lines of words, some in quotes or brackets."""
    draw = random.Random(seed)
    lines = []
    for _ in range(length):
        words = ["".join(draw.choices("abcdefgh", k=draw.randint(1, 7))) for _ in range(draw.randint(1, 12))]
        left = draw.randrange(len(words))
        opening, closing = draw.choice([("“", "”"), ("(", ")"), ("((", "))"), ("", "")])
        words[left] = opening + words[left]
        words[-1] += closing
        lines.append(" ".join(words))
    return "\n".join(lines)


def noise(seed: int, length: int = 6_000) -> str:
    return "".join(random.Random(seed).choices('abcdefgh XYZ12."#()\n', k=length))


@pytest.fixture
def model_of(network):
    """Make a model of one layer of 12 units for a vocabulary."""

    def model_of(vocab_size: int, cell: str = "irnn", **shape) -> LanguageModel:
        sizes = {"hidden_size": 12, "embedding_size": vocab_size} | shape
        return network(seed=5, cell=cell, vocab_size=vocab_size, **sizes).eval()

    return model_of


@torch.no_grad()
def test_planted_units_are_found_and_confirmed(dataset_of, model_of) -> None:
    """An irnn with a unit that counts from the newline on, one that is 1 in quotes, one that counts brackets."""
    text = prose(1)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size)
    model.embedding.copy_(torch.eye(tokenizer.vocab_size))
    layer = model.recurrent.layers[0]
    layer.recurrent[:3] = 0
    layer.recurrent[:, :3] = 0
    layer.recurrent *= 0.5
    column = {character: int(tokenizer.encode(character)[0]) for character in "“”()\n"}
    for unit in range(3):
        layer.recurrent[unit, unit] = 1
    layer.input[:3] = 0
    layer.input[0] = 1
    layer.input[0, column["\n"]] = -1000
    layer.input[0, tokenizer.bos] = 0
    layer.input[1, [column["“"], column["”"]]] = torch.tensor([1.0, -1.0])
    layer.input[2, [column["("], column[")"]]] = torch.tensor([1.0, -1.0])
    found = {one.name: one for one in find_neurons(model, tokenizer, text).findings}
    for name, unit in (("position in the line", "0:0"), ("in quotes", "0:1"), ("in brackets", "0:2")):
        best = found[name].followers[0]
        assert str(best.unit) == unit and best.sign == 1 and best.confirmed and found[name].confirmed == best
        assert best.chosen == pytest.approx(1) and best.found == pytest.approx(1)
    depth = found["depth of brackets"]
    assert str(depth.followers[0].unit) == "0:2" and depth.followers[0].found == pytest.approx(1)
    assert 1 < depth.mean < 2  # of the places inside brackets
    layer.input[1] *= -1
    layer.bias[1] = 1  # 1 outside quotes, and more with every character
    layer.recurrent[1, 1] = 0
    best = {one.name: one for one in find_neurons(model, tokenizer, text).findings}["in quotes"]
    assert best.untrained < 0.8


@torch.no_grad()
def test_a_planted_cell_state_is_found(dataset_of, model_of) -> None:
    """An lstm whose cell state falls from the newline on: f is shut there, i open elsewhere."""
    text = prose(2)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size, "lstm", hidden_size=6)
    model.embedding.copy_(torch.eye(tokenizer.vocab_size))
    layer = model.recurrent.layers[0]
    newline = int(tokenizer.encode("\n")[0])
    for block, usual, there in ((0, 20.0, -20.0), (1, 20.0, -20.0), (2, -0.01, 0.0), (3, 0.0, 0.0)):
        layer.input[6 * block + 4], layer.recurrent[6 * block + 4], layer.bias[6 * block + 4] = usual, 0, 0
        layer.input[6 * block + 4, newline] = there
    result = find_neurons(model, tokenizer, text, top=3)
    (best, *others) = next(one for one in result.findings if one.name == "position in the line").followers
    assert (best.unit.layer, best.unit.number, best.sign) == (0, 4, -1) and best.confirmed
    assert best.found == pytest.approx(1, abs=1e-3)
    assert all(one.unit.number != 4 for one in others) and len(others) == 2  # h and c of a unit count once
    gates = {one.gate: one for one in result.saturation}
    lines = text.count("\n") / len(text)
    assert gates["f"].shut[4] == pytest.approx(lines) and gates["f"].open[4] == pytest.approx(1 - lines)
    assert gates["o"].shut[4] == gates["o"].open[4] == 0


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_untrained_network_confirms_nothing(dataset_of, model_of, cell: str, seed: int) -> None:
    text = noise(seed)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size, cell, hidden_size=64, embedding_size=16)
    result = find_neurons(model, tokenizer, text, top=3)
    assert {"in quotes", "in brackets", "digit", "position in the line"} <= {one.name for one in result.findings}
    for finding in result.findings:
        assert finding.confirmed is None, finding
    assert not any(one.confirmed for _, one in result.best)


def test_figures_are_those_of_plain_counting(dataset_of, model_of) -> None:
    text = prose(3, 40)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size, "lstm", num_layers=2, embedding_size=8)
    result = find_neurons(model, tokenizer, text, top=2)
    assert "".join(result.texts) == text and len(result.best) == 2 * 2 * 12
    with torch.inference_mode():
        ids = torch.tensor([tokenizer.bos, *tokenizer.encode(text).tolist()])[:, None]
        layers, _ = follow(model, ids, model.initial_state(1))
    for finding in result.findings:
        held = result.property_values[finding.name]
        for one in finding.followers:
            values = layers[one.unit.layer].states["c" if one.unit.cell_state else "h"][1:, 0, one.unit.number].numpy()
            assert result.values[one.unit] == pytest.approx(values, abs=1e-6)
            for half, figure in ((~result.held_out, one.chosen), (result.held_out, one.found)):
                asked = half & (held > 0) if finding.name == "depth of brackets" else half
                a, b = values[asked], held[asked]
                if finding.kind == "yes or no":
                    inside, outside = a[b == 1][:, None], a[b == 0][None]
                    expected = (inside > outside).mean() + (inside == outside).mean() / 2
                    assert figure == pytest.approx(expected if one.sign > 0 else 1 - expected)
                else:
                    rows = [[(x < side).sum() + (x <= side).sum() for side in x] for x in (a, b)]
                    assert figure == pytest.approx(one.sign * np.corrcoef(rows)[0, 1])
            assert one.chosen >= 0.5 or finding.kind == "number"


def test_units_are_those_after_the_source_with_the_labels(dataset_of, model_of) -> None:
    text = noise(4, 600)
    dataset = dataset_of(text, splits=(100, 0, 0))
    known = dataset.tokenizer
    labels = (LabelColumn(name="mood", values=("bad", "good"), documents=(1, 1)),)
    model = model_of(known.vocab_size, cell="lstm", labels=labels)
    source = [*known.encode("abc").tolist(), known.eos]
    changed = model.with_labels(torch.tensor([0.0, 1.0])).after_source(source)
    found = find_neurons(changed, known, text, top=1)
    ids = torch.tensor([known.bos, *source, *known.encode(text).tolist()])[:, None]
    with torch.inference_mode():
        (layer,), _ = follow(changed, ids, changed.initial_state(1))
    for unit, values in found.values.items():
        assert values == pytest.approx(layer[unit.series][1 + len(source) :, 0, unit.number].numpy(), abs=1e-5)
    plain = find_neurons(model, known, text, top=1)
    assert found.best != plain.best


def test_windows_do_not_show(dataset_of, model_of) -> None:
    text = prose(4, 40)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size, "gru")
    whole = find_neurons(model, tokenizer, text)
    cut = find_neurons(model, tokenizer, text, window=7)
    assert [one.followers[0].unit for one in cut.findings] == [one.followers[0].unit for one in whole.findings]
    for unit, values in whole.values.items():
        assert cut.values[unit] == pytest.approx(values, abs=1e-5)
    assert cut.saturation[0].open == pytest.approx(whole.saturation[0].open)


@pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])
def test_a_token_has_the_properties_of_its_last_character(dataset_of, model_of, kind: str) -> None:
    text = 'An “Öwl” (ü) and 12 "Cäts" — a dog’s\n  Ж 😀 "é" b.\n' * 12
    tokenizer = dataset_of(text, TokenizerConfig(kind=kind, vocab_size=330), splits=(100, 0, 0)).tokenizer
    model = model_of(tokenizer.vocab_size, "rnn", embedding_size=4)
    result = find_neurons(model, tokenizer, text)
    end = 0
    for token, piece in enumerate(tokenizer.token_bytes(int(one)) for one in tokenizer.encode(text)):
        end += len(piece)
        character = len(text.encode()[:end].decode(errors="ignore")) - (
            end == len(text.encode()[:end]) and complete(text, end)
        )
        assert result.property_values["upper case"][token] == text[character].isupper()
        assert result.property_values["position in the line"][token] == character - text.rfind("\n", 0, character + 1)


def complete(text: str, end: int) -> bool:
    """Whether a character ends there."""
    try:
        return bool(text.encode()[:end].decode() or True)
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("text", ["a", "\n", "(", "aaaa"])
def test_a_text_in_which_nothing_varies(dataset_of, model_of, text: str) -> None:
    tokenizer = dataset_of('ab("\n', splits=(100, 0, 0)).tokenizer
    result = find_neurons(model_of(tokenizer.vocab_size), tokenizer, text)
    assert result.findings == () and result.best == () and len(result.left_out) == 11
    assert set(result.left_out.values()) <= {"doesn't vary in this text", "hardly varies in this text"}
    assert "0 of 0 properties" in neurons_page(result, title="a")


def test_what_can_not_be_read_is_an_error(dataset_of, model_of) -> None:
    tokenizer = dataset_of("ab", splits=(100, 0, 0)).tokenizer
    model = model_of(tokenizer.vocab_size)
    with pytest.raises(ConfigError, match="no text to read"):
        find_neurons(model, tokenizer, "")
    with pytest.raises(ConfigError, match="--top"):
        find_neurons(model, tokenizer, "a", top=0)
    with pytest.raises(ConfigError, match="--tokens"):
        find_neurons(model, tokenizer, "a", tokens=0)
    with pytest.raises(UnknownCharacterError):
        find_neurons(model, tokenizer, "é")
    assert find_neurons(model, tokenizer, "aé", unknown="replace").texts == ("a", "\ufffd")


def test_a_long_text_is_cut_and_that_is_said(dataset_of, model_of, caplog: pytest.LogCaptureFixture) -> None:
    text = prose(5, 40)
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size)
    with caplog.at_level(logging.WARNING):
        assert len(find_neurons(model, tokenizer, text, tokens=300).texts) == 300
        assert f"reading only the first 300 of {len(text):,} tokens" in caplog.text
        assert len(find_neurons(model, tokenizer, text, memory=12 * 4 * 200).texts) == 200
        assert f"reading only the first 200 of {len(text):,} tokens (the values of 12 units" in caplog.text


def test_the_page_needs_nothing_else(dataset_of, model_of) -> None:
    text = prose(6).replace("ab", "</script>")
    tokenizer = dataset_of(text).tokenizer
    model = model_of(tokenizer.vocab_size, "lstm", hidden_size=64)
    result = find_neurons(model, tokenizer, text)
    made = neurons_page(result, title="<a> & b")
    assert "&lt;a&gt; &amp; b" in made and "http" not in made and "src=" not in made and made.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', made, re.DOTALL)[1])
    assert [one["property"] for one in data] == [one.name for one in result.findings if one.confirmed]
    for one in data:
        shown = "".join(one["texts"])
        assert shown in text and 0 < len(one["texts"]) == len(one["values"]) == len(one["held"]) <= 700
    for finding in result.findings:
        assert f"{finding.untrained:.3f}" in made
