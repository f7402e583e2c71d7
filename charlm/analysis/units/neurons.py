"""Units that mean something: for each property of a text, the units of a model that follow it.

Karpathy, Johnson and Li 2015 (arXiv 1506.02078) looked through the units of character models and found some that know
whether they are inside a quote, how deep in brackets, or how far along the line. Here all units are compared with all
properties. With thousands of pairs the best figure of all is too good by null_baseline, so the text is cut into blocks: in those
of even number a unit is chosen, in the others it is measured again, and that second figure is the one that counts.
And since some properties can be told from the last character alone, a unit must be better than the best of networks of
the same shape that have learnt nothing (`charlm.analysis.units.null_baseline`).

The figure of a property that holds or doesn't is the area under the ROC curve (AUC): how often the unit is higher at a
place where it holds than at one where it doesn't. That of a number is Spearman's rank correlation.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.analysis.units.null_baseline import null_baseline
from charlm.analysis.units.properties import Kind, Property, properties
from charlm.analysis.units.ranks import rank_figures
from charlm.analysis.units.reading import completed_texts
from charlm.analysis.units.saturation import GateSaturation, Saturation
from charlm.cells.gates import logistic_gates
from charlm.config import Unknown, check_range
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

TOKENS = 200_000
"""How much of a text is read unless said otherwise."""
_MEMORY = 420_000_000  # bytes that the values of all units may take
_WINDOW = 1024  # tokens read at a time
_BLOCKS = 20
_STRETCHES = 5  # of a property in each half, at least
LEAST = {"yes or no": 0.75, "number": 0.4}
"""What a figure must reach to be confirmed."""
NEAR = 0.1
"""How far below the figure that it was chosen by it may stay."""
AHEAD = {"yes or no": 0.05, "number": 0.1}
"""By how much both figures must surpass that of the best unit of untrained networks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follower:
    """A unit beside a property."""

    unit: Unit
    sign: int
    """1 where the unit is high while the property holds, or is high; -1 where it is low."""
    chosen: float
    """Its figure on the blocks by which it was chosen."""
    found: float
    """Its figure on the other blocks, with the sign of the first: below 1/2, or 0, where it is the other way round."""
    confirmed: bool
    """Whether `found` is at least `LEAST` and at most `NEAR` below `chosen`, and both `AHEAD` of untrained networks."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        names = ("sign", "chosen", "found", "confirmed")
        return {"unit": str(self.unit)} | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A property, and the units that follow it best."""

    name: str
    kind: Kind
    mean: float
    """Of the property where it is asked for: a share where it holds or doesn't."""
    untrained: float
    """What the best unit of networks that have learnt nothing comes to, chosen and found in the same way."""
    followers: tuple[Follower, ...]
    """The best by the blocks of even number, the best first; each unit by its better state."""

    @property
    def confirmed(self) -> Follower | None:
        """The first that is confirmed."""
        return next((one for one in self.followers if one.confirmed), None)

    def then(self, one: Follower) -> str:
        """What a unit is while the property holds, or does as it rises."""
        words = ("high", "low") if self.kind == "yes or no" else ("rises", "falls")
        return words[one.sign < 0]

    @property
    def figure(self) -> str:
        """What its figures are called."""
        return "AUC" if self.kind == "yes or no" else "correlation"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        followers = [one.to_json() for one in self.followers]
        return {
            **{"property": self.name, "kind": self.kind, "mean": self.mean, "untrained": self.untrained},
            "units": followers,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Neurons:
    """What was found in a text of N tokens."""

    texts: tuple[str, ...]
    """What each token completes, N of them."""
    held: dict[str, NDArray[np.float32]]
    """Each property at the last character of each token, (N,)."""
    blind: NDArray[np.bool_]
    """Tokens by which no unit was chosen, (N,)."""
    findings: tuple[Finding, ...]
    left_out: dict[str, str]
    """Properties that can't be looked for in this text, and why."""
    best: tuple[tuple[str, Follower], ...]
    """For every unit the property that it follows best on the blocks of even number."""
    values: dict[Unit, NDArray[np.float32]]
    """The units among `findings`, each after every token, (N,)."""
    saturation: tuple[GateSaturation, ...]
    """Of each gate of each layer."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "tokens": len(self.texts),
            "properties": [one.to_json() for one in self.findings],
            "left_out": self.left_out,
            "units": [{"property": name} | one.to_json() for name, one in self.best],
            "gates": [one.to_json() for one in self.saturation],
        }


def find_neurons(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    *,
    top: int = 2,
    tokens: int = TOKENS,
    unknown: Unknown = "error",
    progress: Progress = silent,
) -> Neurons:
    """Let a model read a text, from BOS on, and compare all its units with what is true of the text.

    Args:
        model: in evaluation mode, on the CPU.
        tokenizer: the model's.
        text: must not be empty.
        top: how many units a property names.
        tokens: the most that are read, from the beginning of the text.
        unknown: what a character outside the vocabulary does.
        progress: told how far reading and comparing are.

    Raises:
        ConfigError: the text is empty, or a setting out of range.
        UnknownCharacterError: the text has a character outside the vocabulary and `unknown` is "error".
    """
    check_range("--top", top, 1, 1000)
    check_range("--tokens", tokens, 1, 100_000_000)
    ids = tokenizer.encode(text, unknown=unknown).astype(np.int64)
    if len(ids) == 0:
        raise ConfigError("there is no text to read; give one that isn't empty")
    units = _units(model)
    ids = _at_most(ids, tokens, len(units))
    held = {one.name: one for one in _at_tokens(tokenizer, ids)}
    blocks = np.arange(len(ids)) * _BLOCKS // len(ids) % 2
    halves = (blocks == 0, blocks == 1)
    left_out = {name: why for name, one in held.items() if (why := _unfit(one, halves)) is not None}
    kept = [one for name, one in held.items() if name not in left_out]
    by_null_baseline = null_baseline(model, ids, units, kept, halves, progress=progress)
    values, saturation = _read(model, tokenizer.bos, ids, units, progress)
    chosen, found = (rank_figures(values, kept, half, progress) for half in halves)
    compared = _Compared(units=units, held=kept, chosen=chosen, found=found, untrained=by_null_baseline)
    asked = halves[0] | halves[1]
    findings = tuple(compared.finding(column, asked, top) for column in range(len(kept)))
    named = {one.unit for finding in findings for one in finding.followers}
    return Neurons(
        texts=completed_texts(tokenizer, ids),
        held={name: one.values for name, one in held.items()},
        blind=halves[1],
        findings=findings,
        left_out=left_out,
        best=tuple(compared.best()),
        values={unit: values[place].copy() for place, unit in enumerate(units) if unit in named},
        saturation=saturation,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """Units beside properties: figures of `rank_figures`, (units, properties) each."""

    units: list[Unit]
    held: list[Property]
    chosen: NDArray[np.float64]
    """On the blocks by which units are chosen."""
    found: NDArray[np.float64]
    """On the others."""
    untrained: NDArray[np.float64]
    """Of the best unit of untrained networks, (properties,)."""

    def follower(self, place: int, column: int) -> Follower:
        """A unit beside a property."""
        kind = self.held[column].kind
        sign = -1 if self.chosen[place, column] < 0 else 1
        first, second = (_figure(float(sign * side[place, column]), kind) for side in (self.chosen, self.found))
        steady = second >= max(LEAST[kind], first - NEAR)
        ahead = min(first, second) >= _figure(float(self.untrained[column]), kind) + AHEAD[kind]
        return Follower(unit=self.units[place], sign=sign, chosen=first, found=second, confirmed=steady and ahead)

    def finding(self, column: int, asked: NDArray[np.bool_], top: int) -> Finding:
        """A property, and the `top` units that follow it best; `asked` (N,) are the places that count."""
        one = self.held[column]
        places = _first(self.units, np.abs(self.chosen[:, column]), top)
        return Finding(
            name=one.name,
            kind=one.kind,
            mean=float(one.values[one.within(asked)].mean()),
            untrained=_figure(float(self.untrained[column]), one.kind),
            followers=tuple(self.follower(place, column) for place in places),
        )

    def best(self) -> Iterator[tuple[str, Follower]]:
        """For every unit the property that it follows best, by its name."""
        for place, column in enumerate(np.abs(self.chosen).argmax(axis=1).tolist() if self.held else ()):
            yield self.held[column].name, self.follower(place, column)


def _at_most(ids: NDArray[np.int64], tokens: int, units: int) -> NDArray[np.int64]:
    """The first tokens, as many as asked for and as memory holds the values of so many units of; says so if not all."""
    most = min(tokens, max(1, _MEMORY // (4 * units)))
    if len(ids) > most:
        reason = "" if most == tokens else f" (more values of {units:,} units take too much memory)"
        logger.warning("of the %s tokens of the text the first %s are read%s", f"{len(ids):,}", f"{most:,}", reason)
    return ids[:most]


def _units(model: LanguageModel) -> list[Unit]:
    """Hidden states of all layers, and cell states where there are any."""
    kinds = (False, True) if "c" in model.recurrent.cell.states else (False,)
    return [
        Unit(layer=layer, number=number, cell_state=cell_state)
        for layer in range(model.config.num_layers)
        for cell_state in kinds
        for number in range(model.config.hidden_size)
    ]


@torch.inference_mode()
def _read(
    model: LanguageModel,
    bos: int,
    ids: NDArray[np.int64],
    units: list[Unit],
    progress: Progress,
) -> tuple[NDArray[np.float32], tuple[GateSaturation, ...]]:
    """The value of each unit after each token, (units, N), and how often gates are saturated."""
    stream = torch.from_numpy(np.concatenate(([bos], ids)))[:, None]
    series = list(dict.fromkeys((unit.layer, unit.series) for unit in units))
    values = np.empty((len(units), len(ids)), np.float32)
    counts = Saturation(model.config.num_layers, logistic_gates(model.recurrent.cell), model.config.hidden_size)
    _, states = follow(model, stream[:1], model.initial_state(1), gates=False)
    for start in range(0, len(ids), _WINDOW):
        window = stream[start + 1 : start + 1 + _WINDOW]
        layers, states = follow(model, window, states)
        values[:, start : start + len(window)] = torch.cat([layers[layer][name][:, 0].T for layer, name in series])
        for index, layer in enumerate(layers):
            counts.add(index, layer.gates)
        progress("reading", min(start + _WINDOW, len(ids)), len(ids))
    return values, counts.shares()


def _at_tokens(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> Iterator[Property]:
    """The properties of the text at the last character of each token, or the one that it is a part of."""
    pieces = [tokenizer.token_bytes(token) for token in ids.tolist()]
    data = b"".join(pieces)
    begins = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    character = np.cumsum(begins)[np.cumsum([len(piece) for piece in pieces]) - 1] - 1
    for one in properties(data.decode("utf-8", "replace")):
        yield one.at(character)


def _first(units: list[Unit], strength: NDArray[np.float64], top: int) -> list[int]:
    """Places of the strongest units, a hidden state and its cell state counting as one."""
    places: dict[tuple[int, int], int] = {}
    for place in np.argsort(-strength, kind="stable").tolist():
        places.setdefault((units[place].layer, units[place].number), place)
        if len(places) == top:
            break
    return list(places.values())


def _figure(correlation: float, kind: Kind) -> float:
    """Of what holds or doesn't the AUC, of a number the correlation itself."""
    return (1 + correlation) / 2 if kind == "yes or no" else correlation


def _unfit(one: Property, halves: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> str | None:
    """Why a property can't be looked for, if it can't."""
    values = one.values[one.within(halves[0] | halves[1])]
    if len(values) == 0 or np.ptp(values) == 0:
        return "doesn't vary in this text"
    for half in halves:
        values = one.values[one.within(half)]
        if np.count_nonzero(np.diff(values)) < 2 * _STRETCHES:
            return "hardly varies in this text"
    return None
