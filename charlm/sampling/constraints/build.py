"""The constraint of a configuration for a model's vocabulary."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.sampling.config import SampleConfig, temperature_at
from charlm.sampling.constraints.automata import texts
from charlm.sampling.constraints.automata.json_schema import satisfying
from charlm.sampling.constraints.automata.lexicon import LETTERS, english, without_letters
from charlm.sampling.constraints.automata.pattern import matching
from charlm.sampling.constraints.automata.spelling import writable
from charlm.sampling.constraints.automata.verse import Verse
from charlm.sampling.constraints.automata.words import of_words
from charlm.sampling.constraints.automaton import NEVER, Automaton, Table, intersect
from charlm.sampling.constraints.bigrams import measure_bigrams
from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.constraints.distance_search import DistanceSearch
from charlm.sampling.constraints.lookahead import Lookahead, NoLookahead, TableLookahead
from charlm.sampling.edges.prefix import Start
from charlm.sampling.vocabulary import Vocabulary

_MOST_MERGED = 4000  # states of a product that becomes one table
_MOST_STATES = 400_000
_LONGEST_LOOKAHEAD = 5000  # characters
_COOLEST, _HOTTEST = 0.3, 2.0  # temperatures of the writing that the look-ahead imagines


def build_constraint(
    model: LanguageModel, vocabulary: Vocabulary, config: SampleConfig, start: Start, bias: NDArray[np.float64]
) -> Constraint | None:
    """The constraint of a configuration; None if it has none.

    Args:
        model: the model that writes, in evaluation mode.
        vocabulary: its vocabulary.
        config: the settings.
        start: where a text begins; how the model writes is measured from there.
        bias: nats added to every logit, -inf for tokens that are never written, (V,).

    Raises `ConfigError` if no text that the vocabulary can write satisfies it, or none of at most `config.max_length`.
    """
    if not config.is_constrained:
        return None
    spelling = writable(vocabulary)
    named = []
    for name, table in _tables(config, spelling):
        written = intersect(table, spelling, most=_MOST_STATES)
        if written is None:
            raise ConfigError(f"{name} is too complex; give a shorter text, fewer words or a smaller pattern")
        _require_possible(int(written.distances[written.start]), name, config)
        named.append((name, written))
    tables = [table for _, table in named] + [texts.without(text) for text in config.ban]
    if not config.syllables and (config.lines is not None or config.acrostic):
        tables.append(texts.whole_sentences())
    if not config.min_length:
        tables += [texts.without(text, ends=True) for text in config.stop]
    merged = _merged(tables)
    temperature = min(_HOTTEST, max(_COOLEST, temperature_at(config.temperature, 0, 0.0)))
    bigrams = measure_bigrams(model, vocabulary, start.states, start.logits, bias, temperature)
    longest = min(config.max_length, _LONGEST_LOOKAHEAD)
    automata: list[Automaton] = [*merged]
    lookaheads: list[Lookahead] = [
        TableLookahead(table, bigrams, longest) if table.settled is None else NoLookahead() for table in merged
    ]
    if config.syllables:
        missing = "".join(letter for letter in LETTERS if not _can_write(spelling, letter))
        verse = Verse(without_letters(english(), missing), config.line_syllables, config.rhyme, bigrams)
        automata.append(verse)
        lookaheads.append(verse)
        if not merged:
            _require_possible(int(verse.distance(np.array([verse.start]))[0]), "--syllables", config)
    search = None
    if len(automata) > 1:
        letters = bigrams.bytes.astype(np.uint8) if config.syllables else _letters(merged, bigrams.bytes)
        search = DistanceSearch(automata, letters)
    constraint = Constraint(automata, lookaheads, vocabulary, search)
    together = " with ".join(
        dict.fromkeys([*(name for name, _ in named), *(["--syllables"] if config.syllables else [])])
    )
    _require_possible(constraint.distance(constraint.start), together, config)
    return constraint


def _tables(config: SampleConfig, spelling: Table) -> Iterator[tuple[str, Table]]:
    """The automaton of each setting, with the name of its option."""
    if config.pattern is not None:
        yield f"--pattern {config.pattern}", matching(config.pattern)
    if config.json_schema is not None:
        yield "--json-schema", satisfying(config.json_schema)
    if config.words:
        yield "--words", of_words(config.words, partial(_can_write, spelling))
    for text in config.must_contain:
        name = f"--must-contain {text!r}"
        if (lacking := next((one for one in text if not _can_write(spelling, one)), None)) is not None:
            raise ConfigError(f"{name} has {lacking!r}, which this model can't write; change it, or use another model")
        _require_possible(len(text) if _can_write(spelling, text) else NEVER, name, config)
        yield name, texts.containing(text)
    if config.acrostic:
        letters = "".join(config.acrostic.split())
        _require_possible(3 * len(letters) - 2, "--acrostic", config)
        yield f"--acrostic {config.acrostic!r}", texts.acrostic(letters)
    if config.lines is not None and not config.syllables:
        _require_possible(2 * config.lines - 1, f"--lines {config.lines}", config)
        yield f"--lines {config.lines}", texts.lines(config.lines)


def _can_write(spelling: Table, text: str) -> bool:
    states = np.array([spelling.start])
    for byte in np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)[:, None]:
        states = spelling.step(states, byte)
    return bool(spelling.accepts(states)[0])


def _require_possible(least: int, name: str, config: SampleConfig) -> None:
    """Raise `ConfigError` unless a text of `least` characters can be written."""
    if least >= NEVER:
        raise ConfigError(f"no text that this model can write satisfies {name}; change it, or use another model")
    if least > config.max_length:
        raise ConfigError(
            f"{name} needs at least {count_of(least, 'character')}, but the text may have "
            f"{config.max_length:,}; raise --length"
        )


def _merged(tables: list[Table]) -> list[Table]:
    """Tables with the same product, as few as possible without one that is large."""
    merged: list[Table] = []
    for table in sorted(tables, key=lambda table: table.size):
        if table.settled is not None:
            merged.append(table)
            continue
        for place, other in enumerate(merged):
            if other.settled is None and (product := intersect(other, table, most=_MOST_MERGED)) is not None:
                merged[place] = product
                break
        else:
            merged.append(table)
    return merged


def _letters(tables: list[Table], written: NDArray[np.int64]) -> NDArray[np.uint8]:
    """One byte of each set that all tables treat alike, of those that the model writes."""
    kinds = np.stack([table.classes[written] for table in tables])
    _, firsts = np.unique(kinds, axis=1, return_index=True)
    return written[firsts].astype(np.uint8)
