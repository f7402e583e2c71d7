"""What it means when a simple predictor beats a network, or when a held-out split is unlike the rest of a text."""

import re
from collections.abc import Iterator, Mapping

from charlm.data.dataset import Dataset
from charlm.evaluation.baselines import Baseline, measure_baselines
from charlm.evaluation.copying import CopyIndex, find_copies
from charlm.evaluation.score import Evaluation, split_evaluation
from charlm.nouns import count_of, form_for
from charlm.progress import Progress, silent

_TRAIN_TOKENS, _VALID_TOKENS = 200_000, 40_000  # compared at the end of a run: a second of work
_CHECKED, _LEAST = 10_000, 40  # characters that are compared with the training text, and of the shortest copy
_MARGIN = 0.98  # of the network's bits, below which a baseline wins on a sample
_REPEATS = 0.95  # of the n-gram model's bits; xz is below that on texts with long repeats only
_COPIED = 0.1  # share of a text in copied passages, from which it repeats the training text
_UNKNOWN = 0.005  # share of unknown characters, from which a text is of another kind
_MIN_CHARACTERS = 200  # below, the frequencies of characters are too uncertain to compare
_WORSE = 1.2  # times the validation loss, from which the test split is of another kind


def verdict(
    result: Evaluation,
    baselines: Mapping[str, Baseline],
    *,
    is_own: bool = True,
    is_sorted: bool = False,
    validation: float | None = None,
    copied: float = 0.0,
    margin: float = 1.0,
) -> Iterator[str]:
    """Which baselines beat the network, and what the figures say about the text, in sentences; none if all is well.

    Of a text with fewer than 200 characters, the figures say nothing else.

    Args:
        result: the network's score of the text.
        baselines: the scores of simple predictors on the text; may be empty.
        is_own: whether it is a split of the text that the network was trained on.
        is_sorted: whether the documents of the whole text are in alphabetical order.
        validation: the network's nats per token on the validation split; give it for the test split only.
        copied: share of the text that stands verbatim in the training text.
        margin: share of the network's bits that a baseline must stay below to beat it.
    """
    bits = result.bits_per_character
    winners = {name: one for name, one in baselines.items() if one.bits_per_character < margin * bits}
    if winners:
        yield _name_winners(bits, winners)
    if result.characters < _MIN_CHARACTERS:
        if winners:
            yield f"The text has only {count_of(result.characters, 'character')}, too few to judge the network by."
        return
    is_foreign = _is_foreign(baselines)
    repeats = copied >= _COPIED or (_repeats(baselines, winners) and not is_sorted and not is_foreign)
    reasons = []
    if repeats:
        share = f" ({copied:.0%} of it, verbatim)" if copied >= _COPIED else ""
        reasons.append(
            f"the text repeats passages of the training split or of its own{share}, so the scores don't show how well "
            "a model predicts a new text; leave repeated passages out"
        )
    if (reason := _why_of_another_kind(result, is_foreign=is_foreign, validation=validation)) is not None:
        shuffle = "; if the documents are independent, shuffle them before training" if is_own else ""
        reasons.append(reason + shuffle)
    if is_sorted:
        reasons.append(
            "the documents are in alphabetical order, so this split begins with other letters than the training split; "
            "shuffle them before training"
        )
    yield from (reason[0].upper() + reason[1:] + "." for reason in reasons)
    if winners and not reasons:
        yield _undertrained(winners)


def _is_foreign(baselines: Mapping[str, Baseline]) -> bool:
    """Whether guessing predicts the characters better than their frequencies in the training split do."""
    return baselines.keys() >= {"unigram", "uniform"} and baselines["unigram"].nats > baselines["uniform"].nats


def _why_of_another_kind(result: Evaluation, *, is_foreign: bool, validation: float | None) -> str | None:
    """What shows that the text is unlike the training split; None if nothing does. Arguments as in `verdict`."""
    unknown = result.unknown_characters / result.characters
    if unknown >= _UNKNOWN:
        return (
            f"{result.unknown_characters:,} of its characters ({unknown:.1%}) never "
            f"{form_for(result.unknown_characters, 'occurs', 'occur')} in the training split, so it "
            "is of another kind"
        )
    if is_foreign:
        return (
            "its characters are so unlike those of the training split that guessing beats knowing how frequent they "
            "are there, so it is of another kind"
        )
    if validation is not None and result.nats_per_token > _WORSE * validation:
        return (
            f"the network is much worse here than on the validation split ({result.nats_per_token:.3f} against "
            f"{validation:.3f} nats per token), so the end of the text is of another kind, or the text is sorted by "
            "something"
        )
    return None


def _repeats(baselines: Mapping[str, Baseline], winners: Mapping[str, Baseline]) -> bool:
    """Whether a compressor, which finds long repeats alone, beats the network and clearly the n-gram model too."""
    compressed = [winners[name].bits_per_character for name in ("gzip", "xz") if name in winners]
    return bool(compressed) and min(compressed) < _REPEATS * baselines["ngram"].bits_per_character


def _name_winners(bits: float, winners: Mapping[str, Baseline]) -> str:
    names = {"ngram": "the n-gram model", "unigram": "the unigram model", "uniform": "the uniform distribution"}
    ordered = sorted(winners.items(), key=lambda item: item[1].bits_per_character)
    shown = [f"{names.get(name, name)} ({one.bits_per_character:.3f})" for name, one in ordered]
    listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    verb = form_for(len(shown), "predicts", "predict")
    listed = re.sub("^the", "The", listed)
    return f"{listed} {verb} this text better than the network ({bits:.3f} bits per character)."


def _undertrained(winners: Mapping[str, Baseline]) -> str:
    if "uniform" in winners:
        return (
            "So the network is worse than guessing here: it was trained for too few steps, at too high a rate, or on a "
            "text of another kind."
        )
    if "unigram" in winners:
        return (
            "So the network does not even know how frequent each character is here: train longer, or on a text of this "
            "kind."
        )
    return "These predictors only count or copy; train longer or use more units."


def validation_verdict(dataset: Dataset, nats_per_token: float, *, progress: Progress = silent) -> list[str]:
    """`verdict` on the validation split after a run, from the end of the training split and the start of that split.

    It is empty for pairs, whose sources the simple predictors don't know.

    Args:
        dataset: the text of the run; its validation split must not be empty.
        nats_per_token: the network's score of the validation split.
        progress: called with the progress of the predictors.
    """
    tokenizer, facts = dataset.tokenizer, dataset.valid.facts
    if facts.source_tokens:
        return []
    train = dataset.train.part(max(0, len(dataset.train) - _TRAIN_TOKENS), len(dataset.train), tokenizer)
    valid = dataset.valid.part(0, min(_VALID_TOKENS, len(dataset.valid)), tokenizer)
    margin = 1.0 if len(valid) == len(dataset.valid) else _MARGIN
    result = split_evaluation(facts, nats_per_token * facts.tokens)
    baselines = measure_baselines(tokenizer, train=train, valid=valid, text=valid, progress=progress)
    index = CopyIndex([tokenizer.decode(train.ids)], least=_LEAST)
    copied = find_copies(tokenizer.decode(valid.ids)[:_CHECKED], index).share
    is_sorted = dataset.corpus.looks_sorted
    return list(verdict(result, baselines, is_sorted=is_sorted, copied=copied, margin=margin))
