"""Texts for a gap where two searches meet: each is a beginning from the left and an ending from the right."""

from collections.abc import Iterator

import numpy as np

from charlm.sampling.infill.gap_search import Extensions, Nats


def reach_of(length: int, around: int) -> int:
    """Characters of the longest piece that a text of at most that length is made of."""
    return min(length, (length + 1) // 2 + around)


def _splits(length: int, around: int) -> range:
    """Where a text of that length is put together: about its middle, so that both pieces are short."""
    longest = reach_of(length, around)
    return range(length - longest, longest + 1)


def join_extensions(
    beginnings: dict[int, Extensions],
    endings: dict[int, Extensions],
    *,
    length: int,
    num: int,
    around: int,
    floor: float = -np.inf,
) -> dict[str, float]:
    """The `num` likeliest texts of one length that the pieces make, with the nats that `seam` gives them.

    Args:
        beginnings: what leads on from the left, by the number of characters.
        endings: what leads back from the right.
        length: of the texts, characters.
        num: how many; there may be fewer.
        around: how far from the middle of a text its pieces may meet, characters.
        floor: nats below which no text is wanted.
    """
    best: dict[bytes, float] = {}
    for cut in _splits(length, around):
        if cut in beginnings and length - cut in endings:
            for text, score in _likeliest(beginnings[cut], endings[length - cut], num, floor):
                best[text] = max(score, best.get(text, -np.inf))
    return {text.decode(): best[text] for text in sorted(best, key=lambda text: -best[text])[:num]}


def _likeliest(beginnings: Extensions, endings: Extensions, num: int, floor: float) -> Iterator[tuple[bytes, float]]:
    """The `num` best of all pairs of two pieces that reach `floor`, with their scores."""
    scores = seam(beginnings, endings).ravel()
    best = np.flatnonzero(scores >= floor)
    if num < len(best):
        best = best[np.argpartition(-scores[best], num - 1)[:num]]
    for flat in best.tolist():
        one, other = divmod(flat, len(endings.data))
        yield beginnings.data[one] + endings.data[other][::-1], float(scores[flat])


def seam(beginnings: Extensions, endings: Extensions) -> Nats:
    """What is known of each pair without reading it, nats (N, M).

    The pieces were found without regard to each other. To the nats of both comes what either model makes of the first
    token of the other's piece, by half, as it is asked from both sides.
    """
    ahead = beginnings.log_p[:, endings.last]  # (N, M)
    behind = endings.log_p[:, beginnings.last].T
    together: Nats = beginnings.scores[:, None] + endings.scores + (ahead + behind) / 2
    return together
