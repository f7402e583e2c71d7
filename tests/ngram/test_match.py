import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charlm.ngram import match
from charlm.ngram.match import Lengths, advance, check_states, lengths_for, no_matches

CHARACTERS, RECENT = lengths_for(65), lengths_for(65, with_recent=True)


def read(text: list[int], lengths: Lengths = CHARACTERS) -> tuple[list[int], list[int]]:
    """The predictions after each token of a text, and their buckets."""
    predictions, _ = advance(lengths, no_matches(lengths, 1), np.array(text)[:, None])
    return predictions[:, 0, 0, 0].tolist(), predictions[:, 0, 0, 1].tolist()


def test_a_repeat_is_followed_to_its_end_and_a_miss_is_counted() -> None:
    rng = np.random.default_rng(1)
    verse, other = rng.permutation(40).tolist(), [90, 91]
    predicted, buckets = read([*verse, *other, *verse, 99])
    assert set(predicted[:46]) == {-1}  # nothing has been said twice, and then too little
    assert predicted[46:-2] == verse[5:]
    assert predicted[-2] == other[0] and predicted[-1] == -1
    lengths, misses = np.divmod(buckets, 4)
    assert lengths[46:57].tolist() == [*range(5, 16)] and lengths[57] == lengths[72] == 16 and lengths[73] == 17
    assert misses[-1] == 1 and set(misses[:-1]) == {0}


def test_the_latest_occurrence_is_found_unless_an_earlier_one_agrees_for_longer() -> None:
    long, short = [*range(20)], [*range(15, 20)]
    predicted, _ = read([*long, 50, 88, *short, 51, 89, *long])
    assert predicted[-1] == 50  # 20 tokens agree there, 5 where the latest occurrence is
    predicted, _ = read([*short, 50, 88, *short, 51, 89, *short])
    assert predicted[-1] == 51


def test_tokens_of_a_large_vocabulary_need_less_agreement() -> None:
    assert lengths_for(512) == CHARACTERS == (12, 5, ()) and lengths_for(513) == (4, 2, ())
    assert read([1, 2, 3, 9, 1, 2], lengths_for(16_000))[0] == [-1] * 5 + [3]


texts = arrays(np.int64, st.tuples(st.integers(1, 80), st.integers(1, 3)), elements=st.integers(0, 2))


@given(texts, st.sampled_from([CHARACTERS, lengths_for(1000), RECENT]), st.integers(0, 80))
def test_compiled_code_and_python_agree_and_a_text_may_come_in_parts(text, lengths: Lengths, cut: int) -> None:
    begin = no_matches(lengths, text.shape[1])
    predictions, after = advance(lengths, begin, text)
    assert not begin.any()
    first, middle = advance(lengths, begin, text[:cut])
    second, last = advance(lengths, middle, text[cut:])
    assert np.array_equal(np.concatenate((first, second)), predictions) and np.array_equal(last, after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(match, "native_library", lambda: None)
        slow, slow_after = advance(lengths, begin, text)
    assert np.array_equal(slow, predictions) and np.array_equal(slow_after, after)


@given(arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 1)))  # of more letters, hashes can collide
def test_a_prediction_follows_an_earlier_occurrence_of_the_last_tokens(text) -> None:
    state = no_matches(CHARACTERS, 1)
    for step, token in enumerate(text.tolist()):
        predictions, state = advance(CHARACTERS, state, np.array([[token]]))
        count, position, length, _ = state[0, :4].tolist()
        assert count == step + 1
        if position:
            assert position < count and length >= CHARACTERS.shorter
            assert text[position - length : position].tolist() == text[count - length : count].tolist()
            assert predictions[0, 0, 0, 0] == text[position]
        elif count > CHARACTERS.shorter:
            last = text[count - CHARACTERS.shorter : count]
            earlier = np.lib.stride_tricks.sliding_window_view(text[: count - 1], CHARACTERS.shorter)
            assert not (earlier == last).all(-1).any()


@pytest.mark.parametrize("native", [True, False])
def test_only_the_last_tokens_are_remembered(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "WINDOW", 128)
    if not native:
        monkeypatch.setattr(match, "native_library", lambda: None)
    verse = [*range(200, 210)]
    assert read([*verse, *[7] * 60, *verse[:5]])[0][-1] == verse[5]
    assert read([*verse, *[7] * 120, *verse[:5]])[0][-1] == -1
    assert read([*[7] * 300, *verse, *verse[:5]])[0][-1] == verse[5]


def test_a_text_of_a_billion_tokens_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state = advance(CHARACTERS, no_matches(CHARACTERS, 1), np.arange(10)[:, None])
    state[0, 0] = (1 << 30) - 1
    ids = np.array([3, 4, 5, 6, 7, 8, 9] * 2)[:, None]
    predictions, after = advance(CHARACTERS, state, ids)
    assert after[0, 0] == 13 and predictions[-1, 0, 0, 0] == 3
    monkeypatch.setattr(match, "native_library", lambda: None)
    slow, slow_after = advance(CHARACTERS, state, ids)
    assert np.array_equal(slow, predictions) and np.array_equal(slow_after, after)


@pytest.mark.parametrize(("place", "value"), [(0, -1), (0, (1 << 30) + 1), (1, -1), (1, 10), (2, -1), (3, -1), (3, 4)])
def test_a_state_that_can_not_be_one_is_refused(place: int, value: int) -> None:
    _, state = advance(CHARACTERS, no_matches(CHARACTERS, 1), np.arange(10)[:, None])
    assert check_states(CHARACTERS, state) is state
    state[0, place] = value
    with pytest.raises(ValueError, match="not the state of a match"):
        advance(CHARACTERS, state, np.zeros((1, 1)))


@pytest.mark.parametrize(
    "state",
    [
        np.zeros((1, 5), np.int32),
        no_matches(CHARACTERS, 1)[0],
        no_matches(CHARACTERS, 1).astype(np.int64),
        no_matches(RECENT, 1),
    ],
)
def test_a_state_of_another_shape_or_type_is_refused(state) -> None:
    with pytest.raises(ValueError, match="not the state of a match"):
        check_states(CHARACTERS, state)
    with pytest.raises(ValueError, match="states for 1 of 2 rows"):
        advance(CHARACTERS, no_matches(CHARACTERS, 1), np.zeros((3, 2)))


@pytest.mark.parametrize("lengths", [CHARACTERS, RECENT])
def test_tables_of_anything_are_read_safely(lengths: Lengths) -> None:
    rng = np.random.default_rng(2)
    state = no_matches(lengths, 50)
    state[:, 4:] = rng.integers(-(1 << 31), 1 << 31, state[:, 4:].shape)
    state[:, 0] = rng.integers(0, 1 << 30, 50)
    state[:, 1] = rng.integers(0, state[:, 0])
    predictions, _ = advance(lengths, state, rng.integers(0, 3, (200, 50)))
    assert predictions[..., 1].min() >= 0 and predictions[..., 1].max() < lengths.buckets
