import pytest

from charlm.errors import ConfigError
from charlm.model.unit import Unit, names_unit


@pytest.mark.parametrize("text", ["", "1", "1:2:h", "a:b", "-1:2", "0:1:c:c"])
def test_a_unit_in_another_form_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="--unit is"):
        Unit.parse(text)


@pytest.mark.parametrize("text", ["", "0:1", "0:1:", "0:f:1", "0:1:f:f"])
def test_a_gate_in_another_form_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="--gate is"):
        Unit.parse_gate(text)


def test_units_and_gates_are_named_by_layer_and_number() -> None:
    assert Unit.parse("1:12") == Unit(layer=1, number=12)
    assert Unit.parse("0:3:c") == Unit(layer=0, number=3, cell_state=True)
    assert Unit.parse_gate("0:3:f") == Unit(layer=0, number=3, gate="f")
    assert [str(Unit.parse(name)) for name in ("1:12", "0:3:c")] == ["1:12", "0:3:c"]
    assert str(Unit.parse_gate("0:3:f")) == "0:3:f"
    assert names_unit("0:12") and names_unit("0:12:c")
    assert not names_unit("sentiment") and not names_unit("0:12:f")


@pytest.mark.parametrize(
    ("cell", "unit", "message"),
    [
        ("lstm", "2:0:f", "--gate names layer 2; the model has 2"),
        ("lstm", "0:8:f", "--gate names unit 8; a layer has 8"),
        ("lstm", "0:1:g", "--gate names gate g; the gates of the cell lstm are i, f, o"),
        ("gru", "0:1:f", "--gate names gate f; the gates of the cell gru are r, u"),
        ("rnn", "0:1:f", "--gate names gate f; the cell rnn has no gates; --unit shows its state"),
        ("rnn", "2:0", "--unit names layer 2; the model has 2"),
        ("rnn", "0:8", "--unit names unit 8; a layer has 8"),
        ("rnn", "0:1:c", "--unit names a cell state, but the cell rnn has none"),
    ],
)
def test_what_a_model_lacks_is_an_error(network, cell: str, unit: str, message: str) -> None:
    parse = Unit.parse if message.startswith("--unit") else Unit.parse_gate
    with pytest.raises(ConfigError, match=message):
        parse(unit).require_in(network(cell=cell, num_layers=2))
