import math

import pytest
import torch
from toys import LETTERS, Bigrams, network

from charlm.errors import ConfigError
from charlm.sampler import SampleConfig
from charlm.sampler.fill import fill


def log_p(model, before: str, after: str) -> float:
    """Nats of `after` given BOS and `before`, token by token."""
    ids = [LETTERS.bos, *LETTERS.encode(before).tolist()]
    total, states = 0.0, None
    logits, states = model(torch.tensor(ids).unsqueeze(1), states)
    for token in LETTERS.encode(after).tolist():
        total += torch.log_softmax(logits[-1, 0], dim=-1)[token].item()
        logits, states = model(torch.tensor([[token]]), states)
    return total


def test_the_scores_are_those_of_both_models() -> None:
    forward, backward = network(LETTERS, "lstm"), network(LETTERS, "gru")
    config = SampleConfig(length=6, min_length=2)
    found = fill(forward, backward, LETTERS, left="abc", right="fed", seed=1, num=50, config=config)
    assert len({filling.text for filling in found}) == len(found) > 5
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert 2 <= len(one.text) <= 6
        text = one.text
        ahead = log_p(forward, "abc", text + "fed") / (len(text) + 3)
        behind = log_p(backward, "def", (("abc" + text)[::-1])) / (len(text) + 3)
        assert one.forward == pytest.approx(ahead, rel=1e-4)
        assert one.backward == pytest.approx(behind, rel=1e-4)
        assert one.score == pytest.approx((ahead + behind) / 2, rel=1e-4)
        assert one.to_json() == {"text": text, "score": one.score, "forward": one.forward, "backward": one.backward}


def test_the_gap_is_closed_where_the_right_text_is_likely_to_begin() -> None:
    """A chain a b c d e f, each letter sure to follow the last: between ab and ef only cd can stand."""
    table = torch.full((9, 9), -8.0)
    for token in range(3, 8):
        table[token, token + 1] = 8.0
    table[LETTERS.bos, 3] = table[8, LETTERS.eos] = 8.0
    turned = torch.full((9, 9), -8.0)
    for token in range(4, 9):
        turned[token, token - 1] = 8.0
    found = fill(Bigrams(table), Bigrams(turned), LETTERS, left="ab", right="ef", seed=1, config=SampleConfig(length=4))
    assert found[0].text == "cd"
    assert found[0].score > -0.1 and math.isfinite(found[-1].score)


def test_an_empty_right_side_is_no_gap() -> None:
    with pytest.raises(ConfigError, match="--right is empty"):
        fill(network(LETTERS), network(LETTERS), LETTERS, left="a", right="", seed=1)
