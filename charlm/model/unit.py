"""One number inside a model that can be followed through a text: a hidden state, a cell state, or a gate."""

import re
from dataclasses import dataclass

from charlm.cells.gates import logistic_gates
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel

_UNIT = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\w+))?")
_CELL_STATE = "c"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One number of a model's state, or one gate that governs it."""

    layer: int
    """From 0, the lowest."""
    number: int
    cell_state: bool = False
    """c in place of h."""
    gate: str | None = None
    """The gate of that name in place of h."""

    @classmethod
    def parse(cls, text: str, option: str = "--unit") -> "Unit":
        """ "0:12" is unit 12 of the lowest layer, "0:12:c" its cell state; raises `ConfigError`, which names the
        option, for other forms."""
        found = _UNIT.fullmatch(text)
        if found is None or found[3] not in (None, _CELL_STATE):
            raise ConfigError(
                f"{option} is {text!r}; give a layer and a number, such as 0:12, or 0:12:c for its cell state"
            )
        return cls(layer=int(found[1]), number=int(found[2]), cell_state=found[3] is not None)

    @classmethod
    def parse_gate(cls, text: str) -> "Unit":
        """ "0:12:f" is the gate f of unit 12 of the lowest layer; raises `ConfigError` for other forms."""
        found = _UNIT.fullmatch(text)
        if found is None or found[3] is None:
            raise ConfigError(f"--gate is {text!r}; give a layer, a number and a gate, such as 0:12:f")
        return cls(layer=int(found[1]), number=int(found[2]), gate=found[3])

    def __str__(self) -> str:
        part = self.gate or ("c" if self.cell_state else None)
        return f"{self.layer}:{self.number}" + (f":{part}" if part else "")

    @property
    def kind(self) -> str:
        """What it is called: a unit or a gate."""
        return "unit" if self.gate is None else "gate"

    @property
    def series(self) -> str:
        """By what name `LayerActivations` has it."""
        return self.gate or ("c" if self.cell_state else "h")

    def require_in(self, model: LanguageModel, option: str | None = None) -> None:
        """Raise `ConfigError`, which names the option, unless the model has it."""
        config, cell = model.config, model.recurrent.cell
        option = option or f"--{self.kind}"
        if self.layer >= config.num_layers:
            raise ConfigError(f"{option} names layer {self.layer}; the model has {config.num_layers}, the lowest is 0")
        if self.number >= config.hidden_size:
            raise ConfigError(f"{option} names unit {self.number}; a layer has {config.hidden_size}, the first is 0")
        if self.cell_state and "c" not in cell.states:
            raise ConfigError(f"{option} names a cell state, and the cell {config.cell} has none; leave :c out")
        if self.gate is not None and self.gate not in logistic_gates(cell):
            gates = logistic_gates(cell)
            has = (
                f"the gates of the cell {config.cell} are {', '.join(gates)}"
                if gates
                else (f"the cell {config.cell} has no gates; --unit shows its state")
            )
            raise ConfigError(f"{option} names gate {self.gate}; {has}")


def names_unit(name: str) -> bool:
    """Whether a name is that of a unit's state, such as 0:12 or 0:12:c, rather than that of a direction."""
    found = _UNIT.fullmatch(name)
    return found is not None and found[3] in (None, _CELL_STATE)
