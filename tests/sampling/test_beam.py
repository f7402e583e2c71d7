from itertools import product

import pytest
import torch

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig, beam_search


def all_texts(model, letters, length: int, prefix: str = "", ban: str = "") -> list[tuple[float, str]]:
    """Every text of at most that length with its log-probability, best first, by going through all of them."""
    found = []
    for size in range(length + 1):
        for part in product("abcdef", repeat=size):
            text = prefix + "".join(part)
            if ban and ban in text:
                continue
            ids = [letters.bos, *letters.encode(text).tolist()]
            with torch.no_grad():
                logits = model(torch.tensor(ids)[:, None])[0][:, 0].double()
            logits[:, [letters.bos, letters.unk]] = -torch.inf
            if ban:
                for place, token in enumerate(ids):
                    if letters.decode([token]) == ban[0]:
                        logits[place, int(letters.encode(ban[1])[0])] = -torch.inf
            log_p = torch.log_softmax(logits, -1)
            path = [*ids[1 + len(prefix) :], *([letters.eos] if size < length else [])]
            found.append((sum(log_p[len(prefix) + at, token].item() for at, token in enumerate(path)), text))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("prefix", ["", "ba"])
@pytest.mark.parametrize("ban", ["", "ab"])
@pytest.mark.parametrize("kind", ["bigrams", "lstm"])
def test_a_wide_beam_finds_the_best_of_all_texts(uneven, bigrams, letters, kind: str, prefix: str, ban: str) -> None:
    model = bigrams(9, seed=4) if kind == "bigrams" else uneven(letters)
    config = SampleConfig(length=3, ban=(ban,) if ban else ())
    found = beam_search(model, letters, width=300, num=5, prefix=prefix, config=config)
    assert [text.text for text in found] == [text for _, text in all_texts(model, letters, 3, prefix, ban)[:5]]


def test_a_narrow_beam_is_the_likeliest_token_again_and_again(bigrams, letters, write_text) -> None:
    for seed in range(9):
        model = bigrams(9, seed)
        (text,) = beam_search(model, letters, width=1, config=SampleConfig(length=9))
        greedy = SampleConfig(length=9, temperature=0)
        assert text.text == write_text(model, letters, torch.Generator(), config=greedy)


def test_a_search_ends_at_a_stop_text(bigrams, letters) -> None:
    model = bigrams(9)
    texts = beam_search(model, letters, width=20, num=20, config=SampleConfig(length=4, stop=("a",)))
    assert any(text.ended == "stop" for text in texts) and not any("a" in text.text for text in texts)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": 0.5}, "--temperature shapes a random draw"),
        ({"top_k": 2}, "--top-k shapes a random draw"),
        ({"min_p": 0.1}, "--min-p shapes"),
        ({"typical": 0.5}, "--typical shapes"),
        ({"no_copy": 9}, "--no-copy shapes"),
        ({"until_eos": True}, "--until-eos has no bound"),
    ],
)
def test_controls_of_the_draw_have_no_place(bigrams, letters, settings: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        beam_search(bigrams(9), letters, width=2, config=SampleConfig(**settings))
    assert beam_search(bigrams(9), letters, width=2, config=SampleConfig(temperature=1.0, length=3))
