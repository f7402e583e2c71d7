import numpy as np
import pytest
import torch

from charlm.errors import UnknownCharacterError
from charlm.sampling import SampleConfig
from charlm.sampling.edges.prefix import read_tokens
from charlm.sampling.session import Offer, Session


@pytest.fixture(scope="session")
def session(uneven, letters):
    """Begin a session with the prefix ab."""

    def session(prefix: str = "ab", **settings) -> Session:
        model = uneven(letters, "lstm", num_layers=2)
        generator = torch.Generator().manual_seed(1)
        return Session(model, letters, generator, prefix=prefix, config=SampleConfig(**{"temperature": 1.0} | settings))

    return session


def test_the_offers_are_the_models_own_likeliest_tokens(session, uneven, letters) -> None:
    begun = session()
    logits, _ = read_tokens(uneven(letters, "lstm", num_layers=2), [letters.bos, *letters.encode("ab")], 0)[0]
    logits[letters.bos] = -np.inf
    logits[list(letters.never_written)] = -np.inf
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    offers = begun.offers(4)
    assert [offer.token for offer in offers] == np.argsort(-chances)[:4].tolist()
    assert [offer.probability for offer in offers] == pytest.approx(np.sort(chances)[::-1][:4].tolist())
    assert sum(offer.probability for offer in begun.offers(1000)) == pytest.approx(1)
    kept = session(top_k=2).offers(9)
    assert len(kept) == 2 and sum(offer.probability for offer in kept) == pytest.approx(1)


def test_taking_typing_and_going_back(session, letters) -> None:
    begun = session()
    first = begun.offers(3)
    letter = next(offer for offer in first if offer.text)
    begun.take(letter)
    begun.type("c")
    assert begun.text == "ab" + letter.text + "c"
    same = session("ab" + letter.text + "c").offers(3)
    for one, other in zip(begun.offers(3), same, strict=True):
        assert (one.token, one.text) == (other.token, other.text)
        assert one.probability == pytest.approx(other.probability, rel=1e-4)
    assert begun.back() and begun.back() and not begun.back()
    assert (begun.text, begun.offers(3)) == ("ab", first)
    with pytest.raises(UnknownCharacterError):
        begun.type("é")
    begun.take(Offer(letters.eos, "", 1.0))
    assert begun.text == "ab"


def test_going_on_draws_as_sampling_does(session) -> None:
    begun = session(temperature=0)
    likeliest = begun.offers(1)[0]
    assert begun.go_on() == (likeliest.text or None)
    banned = session(ban=tuple("abcdef"), min_length=10, bias=())
    assert banned.offers(3) == [] and banned.go_on() is None and banned.text == "ab"


def test_a_character_of_several_tokens_comes_whole(uneven, word_tokenizer) -> None:
    words = word_tokenizer("a", "é")
    model = uneven(words)
    begun = Session(model, words, torch.Generator(), prefix="a")
    begun.type("é")
    assert begun.text == "aé"


def test_at_temperature_zero_the_text_goes_on_with_the_likeliest_start(word_tokenizer, bigrams, write_texts) -> None:
    """After "ab" the next token is after the token "ab", or is "abc", which begins with it."""
    words = word_tokenizer("a", "b", "ab", "abc", "c")
    model = bigrams(words.vocab_size, spread=1.0)
    model.table[:, [words.bos, words.eos]] = -50.0
    (expected,) = write_texts(model, words, 1, prefix="ab", length=1, temperature=0.0)
    config = SampleConfig(temperature=0.0)
    for seed in range(20):
        begun = Session(model, words, torch.Generator().manual_seed(seed), prefix="ab", config=config)
        assert len({offer.branch for offer in begun.offers(words.vocab_size)}) > 1
        assert (begun.go_on() or "")[:1] == expected.text.removeprefix("ab")
