"""For each property of a text, the units of a model that follow it.

Karpathy, Johnson and Li 2015 (arXiv 1506.02078) searched character models for interpretable units and found some that
track whether they are inside a quote, how deep in brackets, or how far along the line. Here all units are compared with
all properties. Among thousands of pairs the best is too good by chance, so the text is cut into blocks: units are
selected on the even blocks and measured again on the odd ones, and the second measurement counts. And because some
properties can be read off the last character alone, a unit must also beat a chance baseline: the best unit of untrained
networks of the same shape (`charlm.analysis.units.null_baseline`).

The metric of a yes-or-no property is the area under the ROC curve (AUC): how often the unit is higher at a place where
the property holds than at a place where it doesn't. The metric of a number is Spearman's rank correlation.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.analysis.units.findings import MAX_DROP, MIN_MARGIN, MIN_METRIC, Finding, Follower, Neurons
from charlm.analysis.units.null_baseline import null_baseline
from charlm.analysis.units.properties import Kind, Property, properties
from charlm.analysis.units.ranks import rank_statistics
from charlm.analysis.units.reading import completed_texts
from charlm.analysis.units.saturation import GateSaturation, Saturation
from charlm.cells.gates import logistic_gates
from charlm.config import Unknown, check_range
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit, series_of
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

TOKENS = 200_000
"""How many tokens of a text are read by default."""
_BLOCKS = 20
_MIN_SPANS = 5  # spans of a property in each half


def find_neurons(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    *,
    top: int = 2,
    tokens: int = TOKENS,
    unknown: Unknown = "error",
    memory: int = 420_000_000,
    window: int = 1024,
    progress: Progress = silent,
) -> Neurons:
    """Let a model read a text, starting from BOS and the source, if it has one, and compare all its units with all
    properties of the text.

    Args:
        model: a model in evaluation mode, on the CPU.
        tokenizer: the tokenizer of the model.
        text: the text to read; must not be empty.
        top: how many units to report for each property.
        tokens: how many tokens to read at most, from the beginning of the text.
        unknown: how to treat a character outside the vocabulary.
        memory: bytes for the values of all units, at most; a longer text is cut.
        window: tokens read at a time.
        progress: receives how far reading and comparing are.

    Raises:
        ConfigError: the text is empty, or a setting out of range.
        UnknownCharacterError: the text has a character outside the vocabulary and `unknown` is "error".
    """
    check_range("--top", top, 1, 1000)
    check_range("--tokens", tokens, 1, 100_000_000)
    ids = tokenizer.encode(text, unknown=unknown).astype(np.int64)
    if len(ids) == 0:
        raise ConfigError("there is no text to read; give a text that isn't empty")
    units = _units(model)
    ids = _limit(ids, tokens, len(units), memory)
    properties_by_name = {one.name: one for one in _at_tokens(tokenizer, ids)}
    blocks = np.arange(len(ids)) * _BLOCKS // len(ids) % 2
    halves = (blocks == 0, blocks == 1)
    left_out = {
        name: reason for name, one in properties_by_name.items() if (reason := _reason_to_omit(one, halves)) is not None
    }
    examined = [one for name, one in properties_by_name.items() if name not in left_out]
    untrained = null_baseline(model, ids, units, examined, halves, progress=progress)
    values, saturation = _read(model, [tokenizer.bos, *model.source], ids, units, window, progress)
    selection, held_out = (rank_statistics(values, examined, half, progress) for half in halves)
    comparison = _Comparison(
        units=units, properties=examined, selection=selection, held_out=held_out, untrained=untrained
    )
    findings = tuple(comparison.finding(column, top) for column in range(len(examined)))
    reported = {follower.unit for finding in findings for follower in finding.followers}
    return Neurons(
        texts=completed_texts(tokenizer, ids),
        property_values={name: one.values for name, one in properties_by_name.items()},
        held_out=halves[1],
        findings=findings,
        left_out=left_out,
        best=tuple(comparison.best()),
        values={unit: values[row].copy() for row, unit in enumerate(units) if unit in reported},
        saturation=saturation,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Comparison:
    """All units compared with all properties by `rank_statistics`, (units, properties)."""

    units: list[Unit]
    properties: list[Property]
    selection: NDArray[np.float64]
    """On the selection blocks."""
    held_out: NDArray[np.float64]
    """On the held-out blocks."""
    untrained: NDArray[np.float64]
    """Of the best unit of untrained networks, (properties,)."""

    def follower(self, row: int, column: int) -> Follower:
        """One unit compared with one property."""
        kind = self.properties[column].kind
        sign = -1 if self.selection[row, column] < 0 else 1
        chosen, found = (_metric(float(sign * half[row, column]), kind) for half in (self.selection, self.held_out))
        reproduced = found >= max(MIN_METRIC[kind], chosen - MAX_DROP)
        above_chance = min(chosen, found) >= _metric(float(self.untrained[column]), kind) + MIN_MARGIN[kind]
        return Follower(
            unit=self.units[row], sign=sign, chosen=chosen, found=found, confirmed=reproduced and above_chance
        )

    def finding(self, column: int, top: int) -> Finding:
        """A property and the `top` units that follow it best."""
        one = self.properties[column]
        rows = _strongest(self.units, np.abs(self.selection[:, column]), top)
        return Finding(
            name=one.name,
            kind=one.kind,
            mean=float(one.values[one.within(np.ones(len(one.values), np.bool_))].mean()),
            untrained=_metric(float(self.untrained[column]), one.kind),
            followers=tuple(self.follower(row, column) for row in rows),
        )

    def best(self) -> Iterator[tuple[str, Follower]]:
        """For every unit, the name of the property that it follows best."""
        for row, column in enumerate(np.abs(self.selection).argmax(axis=1).tolist() if self.properties else ()):
            yield self.properties[column].name, self.follower(row, column)


def _limit(ids: NDArray[np.int64], tokens: int, units: int, memory: int) -> NDArray[np.int64]:
    """The first `tokens` tokens, or as many as the values of all units fit in `memory` bytes for; says if that isn't
    all."""
    most = min(tokens, max(1, memory // (4 * units)))
    if len(ids) > most:
        reason = (
            ""
            if most == tokens
            else f" (the values of {count_of(units, 'unit')} at more tokens would take too much memory)"
        )
        logger.warning("reading only the first %s of %s%s", f"{most:,}", count_of(len(ids), "token"), reason)
    return ids[:most]


def _units(model: LanguageModel) -> list[Unit]:
    """Hidden states of all layers, and cell states if the cell has them."""
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
    first: Sequence[int],
    ids: NDArray[np.int64],
    units: list[Unit],
    window: int,
    progress: Progress,
) -> tuple[NDArray[np.float32], tuple[GateSaturation, ...]]:
    """The value of each unit after each token, (units, N), and how often each gate is saturated.

    `first` are the tokens that precede the text; `window` is how many are read at a time.
    """
    stream = torch.from_numpy(np.concatenate((first, ids)))[:, None]
    series = series_of(units)
    values = np.empty((len(units), len(ids)), np.float32)
    counts = Saturation(model.config.num_layers, logistic_gates(model.recurrent.cell), model.config.hidden_size)
    states = model.initial_state(1)
    for start in range(0, len(first), window):
        _, states = follow(model, stream[start : min(start + window, len(first))], states, gates=False)
    for start in range(0, len(ids), window):
        chunk = stream[len(first) + start :][:window]
        layers, states = follow(model, chunk, states)
        values[:, start : start + len(chunk)] = torch.cat([layers[layer][name][:, 0].T for layer, name in series])
        for index, layer in enumerate(layers):
            counts.add(index, layer.gates)
        progress("reading", min(start + window, len(ids)), len(ids))
    return values, counts.shares()


def _at_tokens(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> Iterator[Property]:
    """The properties of the text at the last character of each token, or at the character that the token is part of."""
    token_bytes = [tokenizer.token_bytes(token) for token in ids.tolist()]
    data = b"".join(token_bytes)
    starts_character = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    characters = np.cumsum(starts_character)[np.cumsum([len(part) for part in token_bytes]) - 1] - 1
    for one in properties(data.decode("utf-8", "replace")):
        yield one.at(characters)


def _strongest(units: list[Unit], strength: NDArray[np.float64], top: int) -> list[int]:
    """Indices of the strongest units; the hidden state and the cell state of a unit count as one."""
    indices: dict[tuple[int, int], int] = {}
    for index in np.argsort(-strength, kind="stable").tolist():
        indices.setdefault((units[index].layer, units[index].number), index)
        if len(indices) == top:
            break
    return list(indices.values())


def _metric(statistic: float, kind: Kind) -> float:
    """The metric from its rank statistic: AUC of a yes-or-no property, correlation of a number."""
    return (1 + statistic) / 2 if kind == "yes or no" else statistic


def _reason_to_omit(one: Property, halves: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> str | None:
    """Why a property can't be examined on this text; None if it can."""
    values = one.values[one.within(halves[0] | halves[1])]
    if len(values) == 0 or np.ptp(values) == 0:
        return "doesn't vary in this text"
    for half in halves:
        values = one.values[one.within(half)]
        if np.count_nonzero(np.diff(values)) < 2 * _MIN_SPANS:
            return "hardly varies in this text"
    return None
