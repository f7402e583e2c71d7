import numpy as np
import pytest

from charlm.ngram import match, recent
from charlm.ngram.match import BUCKETS, advance, lengths_for, no_matches
from charlm.ngram.recent import KINDS, ORDERS

LENGTHS = lengths_for(65, with_recent=True)


def read(text: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """What each order predicts after each token of a text, (T, K), and the kind of each prediction from 0 on."""
    predictions, _ = advance(LENGTHS, no_matches(LENGTHS, 1), np.array(text)[:, None])
    predicted, buckets = predictions[:, 0, 1:, 0], predictions[:, 0, 1:, 1]
    return predicted, buckets - BUCKETS - KINDS * np.arange(len(ORDERS))


@pytest.fixture(params=["compiled", "python"])
def code(request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs on the compiled code and on that in Python, with small tables."""
    monkeypatch.setattr(recent, "SLOTS", 1 << 8)
    monkeypatch.setattr(match, "WINDOW", 1 << 7)
    if request.param == "python":
        monkeypatch.setattr(match, "native_library", lambda: None)


@pytest.mark.usefixtures("code")
def test_each_order_says_what_last_followed_its_context() -> None:
    assert ORDERS == (1, 2, 3, 4, 6)
    predicted, _ = read([1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 5, 6, 7])
    assert predicted[7].tolist() == [-1] * 5
    assert predicted[8].tolist() == [3, -1, -1, -1, -1]
    assert predicted[11].tolist() == [6, 6, 6, 6, -1]
    assert predicted[13].tolist() == [8] * 5


@pytest.mark.usefixtures("code")
def test_an_entry_counts_its_run_and_remembers_that_it_was_contradicted() -> None:
    text = [5, 1] * 9 + [5, 2] + [5, 1, 5, 1, 5]
    predicted, kinds = read(text)
    after_five = slice(2, None, 2)  # of order 1
    assert predicted[after_five, 0].tolist() == [1] * 9 + [2, 1, 1]
    assert kinds[after_five, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8]


@pytest.mark.usefixtures("code")
def test_a_token_too_large_for_an_entry_is_not_entered() -> None:
    large = 1 << 19
    predicted, _ = read([1, large - 1, 1, large, 1, large, 1])
    assert predicted[[2, 4, 6], 0].tolist() == [large - 1] * 3


def test_a_full_table_forgets_and_takes_no_other_context_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "SLOTS", 1 << 4)
    rng = np.random.default_rng(7)
    text = rng.integers(0, 500, 3000).tolist()
    predicted, _ = read(text)
    wrong = 0
    for step, token in enumerate(predicted[:, 0].tolist()):
        followed = [text[place + 1] for place in range(step) if text[place] == text[step]]
        wrong += token >= 0 and token not in followed
    assert 0 < (predicted[:, 0] >= 0).sum() < 500  # of 16 entries few are found again
    assert wrong < 30  # the check has 8 bits, so one context in 256 is taken for another
