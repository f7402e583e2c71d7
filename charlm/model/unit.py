"""Names of the numbers inside a model that can be recorded over a text: a hidden state, a cell state, or a gate."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from charlm.cells.gates import logistic_gates
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel

_UNIT = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\w+))?")
_CELL_STATE = "c"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One element of a model's state, or the gate that controls it."""

    layer: int
    """0 is the lowest layer."""
    number: int
    cell_state: bool = False
    """Whether it is c instead of h."""
    gate: str | None = None
    """The name of the gate, if it is a gate instead of h."""

    @classmethod
    def parse(cls, text: str, option: str = "--unit") -> "Unit":
        """Parse "0:12", unit 12 of the lowest layer, or "0:12:c", its cell state.

        Raises `ConfigError`, which names `option`, for other forms.
        """
        match = _UNIT.fullmatch(text)
        if match is None or match[3] not in (None, _CELL_STATE):
            raise ConfigError(
                f"{option} is {text!r}; give a layer and a number, such as 0:12, or 0:12:c for its cell state"
            )
        return cls(layer=int(match[1]), number=int(match[2]), cell_state=match[3] is not None)

    @classmethod
    def parse_gate(cls, text: str) -> "Unit":
        """Parse "0:12:f", gate f of unit 12 of the lowest layer; raises `ConfigError` for other forms."""
        match = _UNIT.fullmatch(text)
        if match is None or match[3] is None:
            raise ConfigError(f"--gate is {text!r}; give a layer, a number and a gate, such as 0:12:f")
        return cls(layer=int(match[1]), number=int(match[2]), gate=match[3])

    def __str__(self) -> str:
        part = self.gate or ("c" if self.cell_state else None)
        return f"{self.layer}:{self.number}" + (f":{part}" if part else "")

    @property
    def kind(self) -> str:
        """The word for it in messages: "unit" or "gate"."""
        return "unit" if self.gate is None else "gate"

    @property
    def series(self) -> str:
        """The name of its series in recorded activations: "h", "c" or the name of the gate."""
        return self.gate or ("c" if self.cell_state else "h")

    def require_in(self, model: LanguageModel, option: str | None = None) -> None:
        """Raise `ConfigError`, which names `option`, unless the model has this unit or gate."""
        config, cell = model.config, model.recurrent.cell
        option = option or f"--{self.kind}"
        if self.layer >= config.num_layers:
            raise ConfigError(f"{option} names layer {self.layer}; the model has {config.num_layers}, counted from 0")
        if self.number >= config.hidden_size:
            raise ConfigError(f"{option} names unit {self.number}; a layer has {config.hidden_size}, counted from 0")
        if self.cell_state and "c" not in cell.states:
            raise ConfigError(f"{option} names a cell state, but the cell {config.cell} has none; leave :c out")
        if self.gate is not None and self.gate not in logistic_gates(cell):
            gates = logistic_gates(cell)
            remedy = (
                f"the gates of the cell {config.cell} are {', '.join(gates)}"
                if gates
                else f"the cell {config.cell} has no gates; --unit shows its state"
            )
            raise ConfigError(f"{option} names gate {self.gate}; {remedy}")


def series_of(units: Iterable[Unit]) -> list[tuple[int, str]]:
    """The layer and the name of each series that has some of the units, in their order."""
    return list(dict.fromkeys((unit.layer, unit.series) for unit in units))


def names_unit(name: str) -> bool:
    """Whether a name is a unit's, such as 0:12 or 0:12:c, and not a direction's."""
    match = _UNIT.fullmatch(name)
    return match is not None and match[3] in (None, _CELL_STATE)
