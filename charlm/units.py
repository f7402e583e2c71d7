"""One number of a recurrent state, by name."""

import re
from dataclasses import dataclass

from charlm.errors import ConfigError
from charlm.model import LanguageModel

_UNIT = re.compile(r"(\d{1,9}):(\d{1,9})(:c)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One number of a model's state."""

    layer: int
    """From 0, the lowest."""
    number: int
    cell_state: bool = False
    """c in place of h."""

    @classmethod
    def parse(cls, text: str, option: str = "--unit") -> "Unit":
        """ "0:12" is unit 12 of the lowest layer, "0:12:c" its cell state; raises `ConfigError`, which names the
        option, for other forms."""
        found = _UNIT.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"{option} is {text!r}; give a layer and a number, such as 0:12, or 0:12:c for its cell state"
            )
        return cls(layer=int(found[1]), number=int(found[2]), cell_state=found[3] is not None)

    def __str__(self) -> str:
        return f"{self.layer}:{self.number}" + (":c" if self.cell_state else "")

    def require_in(self, model: LanguageModel, option: str = "--unit") -> None:
        """Raise `ConfigError`, which names the option, unless the model has it."""
        config = model.config
        if self.layer >= config.num_layers:
            raise ConfigError(f"{option} names layer {self.layer}; the model has {config.num_layers}, the lowest is 0")
        if self.number >= config.hidden_size:
            raise ConfigError(f"{option} names unit {self.number}; a layer has {config.hidden_size}, the first is 0")
        if self.cell_state and "c" not in model.recurrent.cell.states:
            raise ConfigError(f"{option} names a cell state, and the cell {config.cell} has none; leave :c out")
