import math
from itertools import pairwise

import pytest
import torch

from charlm.config import TokenizerConfig
from charlm.sampling import SampleConfig, beam_search
from charlm.sampling.edges.prefix import read_tokens
from charlm.tokenizers import CharTokenizer
from charlm.tokenizers.subword import SubwordTokenizer


@pytest.fixture(scope="session")
def parts(word_tokenizer):
    """BOS and EOS are 0 and 1; "ab" is 4, and "abc" goes beyond it."""
    return word_tokenizer("a", "b", "ab", "abc", "bcd", "c", "d")


def exact(model, start: int, texts: dict[str, list[list[int]]]) -> dict[str, float]:
    """The probability of each text, summed over ways to write it, each a list of tokens, and made to add up to 1."""
    log_p = torch.log_softmax(model.table.double(), -1)
    sums = {}
    for text, ways in texts.items():
        paths = [[start, *way] for way in ways]
        sums[text] = sum(math.exp(sum(log_p[one, other].item() for one, other in pairwise(path))) for path in paths)
    return {text: p / sum(sums.values()) for text, p in sums.items()}


def test_a_healed_text_follows_the_models_probabilities(parts, bigrams, write_texts, chi_square) -> None:
    """After "ab" the next character c comes from "abc" or from "ab" and "c" or "ab" and "bcd"; all by their shares."""
    model = bigrams(parts.vocab_size, spread=1.0)
    a, b, ab, abc, bcd, c, d = range(2, 9)
    eos = parts.eos
    ways = {"ab": [[ab, eos]], "abc": [[abc], [ab, c]], "aba": [[ab, a], [ab, ab], [ab, abc]]}
    ways |= {"abb": [[ab, b], [ab, bcd]], "abd": [[ab, d]]}
    model.table[:, 0] = -50.0  # BOS is never written
    expected = exact(model, parts.bos, ways)
    texts = write_texts(model, parts, 8000, prefix="ab", length=1)
    found = [text.text for text in texts]
    statistic, limit = chi_square(found, expected)
    assert statistic < limit
    unhealed = exact(model, parts.bos, {text: [way for way in own if way[0] == ab] for text, own in ways.items()})
    statistic, limit = chi_square(found, unhealed)
    assert statistic > limit, "the test can't tell a healed text from another"


def test_the_probability_of_a_healed_text_is_its_share(parts, bigrams) -> None:
    model = bigrams(parts.vocab_size)
    model.table[:, 0] = -50.0
    log_p = torch.log_softmax(model.table.double(), -1)
    ab, abc = 4, 5
    total = torch.logaddexp(log_p[0, ab], log_p[0, abc]).item()
    whole = beam_search(model, parts, width=500, num=500, prefix="ab", config=SampleConfig(length=1))
    healed = next(text for text in whole if text.text == "abc")
    plain = log_p[0, ab] + log_p[ab, 7]
    best = max(log_p[0, abc].item(), plain.item())
    assert healed.log_probability == pytest.approx(best - total)


def test_healing_goes_back_over_several_tokens(bigrams, word_tokenizer, write_texts, write_text) -> None:
    parts = word_tokenizer("c", "o", "u", "l", "d", " ", "could", "couch")
    model = bigrams(parts.vocab_size)
    could = 8
    model.table[:, could] = 30.0
    (text,) = write_texts(model, parts, 1, prefix=" coul", length=1)
    assert text.text == " could"
    generator = torch.Generator().manual_seed(1)
    text = write_text(model, parts, generator, prefix=" cou", config=SampleConfig(length=2))
    assert text in (" could", " couch")
    (text,) = write_texts(model, parts, 1, prefix=" coul", length=1, temperature=0)
    assert text.text == " could"
    (text,) = write_texts(model, parts, 1, prefix=" coul", length=5, ban=("d",))
    assert text.text.startswith(" coul") and "d" not in text.text


def test_a_prefix_that_no_token_goes_beyond_is_read_as_it_is(uneven, letters, write_text) -> None:
    model = uneven(letters)
    generator = torch.Generator().manual_seed(2)
    assert write_text(model, letters, generator, prefix="abc", config=SampleConfig(length=0)) == "abc"


@pytest.mark.parametrize("prefix", ["the c", "the cat an", "th", "the do", "ow"])
def test_subwords_are_healed(uneven, write_texts, sentences: str, prefix: str) -> None:
    """Every text begins with the prefix, letter by letter, and goes on with a token of the training text."""
    tokenizer = SubwordTokenizer.fit([sentences], len(sentences), TokenizerConfig(kind="subword", vocab_size=300))
    model = uneven(tokenizer)
    own = tokenizer.encode(prefix).tolist()
    longer = {
        token
        for token in range(tokenizer.vocab_size)
        if tokenizer.token_bytes(token).startswith(tokenizer.token_bytes(own[-1]))
    }
    assert len(longer) > 1
    for text in write_texts(model, tokenizer, 30, prefix=prefix, length=12):
        assert text.text.startswith(prefix) and len(text.text) <= len(prefix) + 12
        assert math.isfinite(text.log_probability)


def test_a_long_prefix_is_read_in_windows_with_progress(network) -> None:
    char_tokenizer = CharTokenizer("ab")
    model, steps = network(vocab_size=char_tokenizer.vocab_size).eval(), []
    tokens = [char_tokenizer.bos, *char_tokenizer.encode("ab" * 1500).tolist()]
    ((logits, _),) = read_tokens(model, tokens, 0, progress=lambda what, done, total: steps.append((what, done, total)))
    assert steps == [("reading the prefix", done, 3001) for done in (1024, 2048, 3001)]
    whole, _ = model(torch.tensor(tokens).unsqueeze(1))
    assert logits == pytest.approx(whole[-1, 0].detach().numpy(), abs=1e-5)
