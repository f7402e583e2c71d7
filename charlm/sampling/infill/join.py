"""Joins beginnings, which extend the text before a gap, and endings, which extend the text after it, to fillings."""

from collections.abc import Iterator

import numpy as np

from charlm.sampling.infill.gap_search import Extensions, Nats


def longest_extension(length: int, max_offset: int) -> int:
    """Characters of the longest extension that is needed for fillings of at most `length` characters."""
    return min(length, (length + 1) // 2 + max_offset)


def join_extensions(
    beginnings: dict[int, Extensions],
    endings: dict[int, Extensions],
    *,
    length: int,
    num: int,
    max_offset: int,
    floor: float = -np.inf,
) -> dict[str, float]:
    """The `num` likeliest fillings of one length that beginnings and endings make, best first, with their
    `pair_scores`.

    Args:
        beginnings: extensions of the text before the gap, by their number of characters.
        endings: extensions of the text after the gap, by their number of characters.
        length: length of the fillings, characters.
        num: how many fillings; there may be fewer.
        max_offset: how far from the middle of a filling the join may be, characters.
        floor: fillings with a lower score are dropped, nats.
    """
    best: dict[bytes, float] = {}
    longest = longest_extension(length, max_offset)
    for cut in range(length - longest, longest + 1):
        if cut in beginnings and length - cut in endings:
            for text, score in _best_pairs(beginnings[cut], endings[length - cut], num, floor):
                best[text] = max(score, best.get(text, -np.inf))
    return {text.decode(): best[text] for text in sorted(best, key=lambda text: -best[text])[:num]}


def _best_pairs(beginnings: Extensions, endings: Extensions, num: int, floor: float) -> Iterator[tuple[bytes, float]]:
    """The fillings of the `num` best pairs whose score is at least `floor`, with their scores."""
    scores = pair_scores(beginnings, endings).ravel()
    best = np.flatnonzero(scores >= floor)
    if num < len(best):
        best = best[np.argpartition(-scores[best], num - 1)[:num]]
    for flat in best.tolist():
        beginning, ending = divmod(flat, len(endings.data))
        yield beginnings.data[beginning] + endings.data[ending][::-1], float(scores[flat])


def pair_scores(beginnings: Extensions, endings: Extensions) -> Nats:
    """An estimate for each pair of a beginning and an ending without reading it, nats, (N, M).

    It is the sum of the nats of both extensions and of the nats across the join: the mean of what the forward model
    gives the first token of the ending, and the backward model the last token of the beginning.
    """
    forward = beginnings.log_p[:, endings.last]  # (N, M)
    backward = endings.log_p[:, beginnings.last].T
    scores: Nats = beginnings.scores[:, None] + endings.scores + (forward + backward) / 2
    return scores
