from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.data.encoded.parts import SplitFacts
from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, document_windows, sample_windows, segments, training_windows

BOS, EOS = 0, 1


def split_of(lengths: list[int]) -> TokenSplit:
    """Documents of so many tokens; every token but BOS and EOS is another number, so that it says where it stands."""
    ids: list[int] = []
    starts = [0]
    for length in lengths:
        ids += [BOS, *range(len(ids) + 2, len(ids) + 2 + length), EOS]
        starts.append(len(ids))
    facts = SplitFacts(documents=len(lengths), tokens=sum(lengths) + len(lengths), characters=sum(lengths))
    return TokenSplit(np.array(ids, dtype=np.uint32), np.array(starts, dtype=np.int64), facts)


def pairs(windows) -> list[tuple[int, int]]:
    """All (input, target) pairs that count."""
    found = []
    for window in windows:
        found += list(zip(window.ids[window.mask].tolist(), window.targets[window.mask].tolist(), strict=True))
    return sorted(found)


def all_pairs(split: TokenSplit) -> list[tuple[int, int]]:
    found = []
    for start, stop in zip(split.starts[:-1], split.starts[1:], strict=True):
        ids = split.ids[start:stop].tolist()
        found += list(pairwise(ids))
    return sorted(found)


def epoch(split: TokenSplit, number: int = 0, **settings):
    settings = {"batch_size": 4, "seq_len": 8, "seed": 1} | settings
    for window in training_windows(split, **settings):
        if window.cursor.epoch == number:
            yield window
        if window.cursor.tokens == split.facts.tokens and window.cursor.epoch == number:
            return


LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=20)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 40), st.integers(0, 5))
def test_an_epoch_has_every_target_once(lengths: list[int], batch: int, length: int, seed: int) -> None:
    split = split_of(lengths)
    for number in (0, 1):
        windows = list(epoch(split, number, batch_size=batch, seq_len=length, seed=seed))
        assert pairs(windows) == all_pairs(split)
        assert all(window.ids.shape[0] <= length and window.ids.shape[1] <= batch for window in windows)
        assert sum(window.tokens for window in windows) == split.facts.tokens


@given(LENGTHS, st.integers(1, 9), st.integers(1, 40))
def test_rows_go_on_where_they_were_and_begin_with_an_empty_past(lengths: list[int], batch: int, length: int) -> None:
    split = split_of(lengths)
    last: list[int] = []
    for window in epoch(split, batch_size=batch, seq_len=length):
        ids, targets = window.ids, window.targets
        if not window.fresh:
            assert ids.shape[1] <= len(last)
            for row in range(ids.shape[1]):
                assert ids[0, row] == last[row], "a row must begin with the target that the last window ended with"
        # A document begins nowhere but at the head of a fresh window: no document sees another's state.
        begins = ids[window.mask] == BOS
        assert begins.sum() == ((ids[0] == BOS).sum() if window.fresh else 0)
        last = [int(column[column != IGNORE][-1]) if (column != IGNORE).all() else -1 for column in targets.T]


@given(LENGTHS, st.integers(1, 9), st.integers(1, 40))
def test_scoring_has_every_target_once_from_the_beginning_of_its_document(lengths, batch: int, length: int) -> None:
    split = split_of(lengths)
    windows = list(document_windows(split, batch_size=batch, seq_len=length))
    assert pairs(windows) == all_pairs(split)
    for window in windows:
        if window.fresh:
            assert (window.ids[0] == BOS).all()


@given(LENGTHS, st.integers(2, 9), st.integers(1, 40), st.integers(0, 2))
def test_a_share_of_the_rows_has_their_labels(lengths: list[int], batch: int, length: int, first: int) -> None:
    split, rows = split_of(lengths), slice(first, None, 3)
    split.labels = np.arange(1, len(lengths) + 1, dtype=np.uint16)[:, None]
    settings = {"batch_size": batch, "seq_len": length, "seed": 1}
    whole, share = training_windows(split, **settings), training_windows(split, **settings, rows=rows)
    for window, own, _ in zip(whole, share, range(20), strict=False):
        cut = window.share(rows)
        assert window.tokens == own.tokens == cut.tokens and window.fresh == (window.labels is not None)
        assert torch.equal(own.ids, cut.ids[: len(own.ids)])
        if window.labels is not None:
            documents = np.searchsorted(split.starts, window.starts[rows], side="right")
            assert own.labels[:, 0].tolist() == cut.labels[:, 0].tolist() == documents.tolist()


@settings(max_examples=30)
@given(LENGTHS, st.integers(0, 200))
def test_a_cursor_goes_on_exactly(lengths: list[int], stop: int) -> None:
    split = split_of(lengths)
    stream = training_windows(split, batch_size=4, seq_len=8, seed=3)
    first = [next(stream) for _ in range(stop + 1)]
    again = training_windows(split, batch_size=4, seq_len=8, seed=3, cursor=first[-1].cursor)
    for _ in range(30):
        one, other = next(stream), next(again)
        assert torch.equal(one.ids, other.ids) and torch.equal(one.targets, other.targets)
        assert (one.fresh, one.cursor, one.tokens) == (other.fresh, other.cursor, other.tokens)


@pytest.mark.parametrize(
    "lengths",
    [
        [100_000],
        [5, 6, 7, 8] * 2000,
        [int(3 * 1.004**i) for i in range(2000)],
        [30, 31, 32, 33] * 500,
        [100] * 20 + [20_000] * 3,
        [int(np.random.default_rng(1).exponential(i)) + 1 for i in range(1, 1500)],
    ],
)
def test_padding_stays_under_15_per_cent(lengths: list[int]) -> None:
    split = split_of(lengths)
    windows = list(epoch(split, batch_size=16, seq_len=32))
    places = sum(window.ids.numel() for window in windows)
    assert 1 - split.facts.tokens / places < 0.15
    rows = sum(window.ids.shape[1] for window in windows) / len(windows)
    assert rows > 10


def test_epochs_and_seeds_differ() -> None:
    split = split_of([40] * 30)
    orders = [
        torch.cat([window.ids[0] for window in epoch(split, number, seed=seed)]).tolist()
        for number, seed in ((0, 1), (1, 1), (0, 2))
    ]
    assert orders[0] != orders[1] and orders[0] != orders[2]


def test_many_documents_are_planned_in_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SECTION", 7)
    split = split_of([5, 9, 3] * 12)
    assert pairs(epoch(split)) == all_pairs(split)
    assert pairs(document_windows(split, batch_size=4, seq_len=8)) == all_pairs(split)


def test_a_sample_is_even_bounded_and_always_the_same() -> None:
    split = split_of([200_000])
    sample = list(sample_windows(split, tokens=20_000, batch_size=8, seq_len=64))
    found = pairs(sample)
    assert 18_000 <= len(found) <= 22_000
    assert len(set(found)) == len(found) and set(found) <= set(all_pairs(split))
    assert found[0][0] < 1000 and found[-1][0] > 199_000
    assert found == pairs(sample_windows(split, tokens=20_000, batch_size=8, seq_len=64))
    small = split_of([50, 60, 5000])
    assert pairs(sample_windows(small, tokens=20_000, batch_size=8, seq_len=64)) == all_pairs(small)


@pytest.mark.parametrize("seq_len", [1, 7, 96, 1000])
def test_a_segment_of_a_sample_reads_what_stands_before_it_in_its_document(seq_len: int) -> None:
    split = split_of([10, 3000, 70, 5000])
    windows = list(sample_windows(split, tokens=2000, batch_size=4, seq_len=seq_len))
    assert all(window.tokens == int(window.mask.sum()) for window in windows)
    read, scored = set[int](), set[int]()
    for window in windows:
        for row, start in enumerate(window.starts.tolist()):
            places = range(start, start + len(window.ids))
            read.update(places)
            scored |= {place for place, counts in zip(places, window.mask[:, row].tolist(), strict=True) if counts}
    assert len(scored) < 2500
    for place in scored:
        document = int(np.searchsorted(split.starts, place, side="right")) - 1
        before = range(max(int(split.starts[document]), place - 32), place)
        assert read.issuperset(before)
