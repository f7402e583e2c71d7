import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import ModelConfig, SampleConfig
from charlm.errors import UnknownCharacterError
from charlm.model import LanguageModel
from charlm.sampler import distribution, generate
from charlm.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer


class Script(LanguageModel):
    """A model that writes a fixed sequence of tokens again and again after BOS, whatever its weights."""

    def __init__(self, tokenizer: Tokenizer, tokens: list[int]) -> None:
        super().__init__(ModelConfig(vocab_size=tokenizer.vocab_size, hidden_size=1, embedding_size=1))
        self.tokens = tokens
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def forward(self, ids, states=None, *, generator=None):
        position = 0 if states is None else int(states[0][0])
        logits = torch.full((*ids.shape, self.config.vocab_size), -50.0)
        for step in range(ids.shape[0]):
            logits[step, :, self.tokens[(position + step) % len(self.tokens)]] = 50.0
        return logits, ((torch.tensor(position + ids.shape[0]),),)


def written(tokenizer: Tokenizer, tokens: list[int], **settings) -> tuple[list[str], str]:
    pieces = generate(
        Script(tokenizer, tokens), tokenizer, torch.Generator().manual_seed(1), config=SampleConfig(**settings)
    )
    found = []
    while True:
        try:
            found.append(next(pieces))
        except StopIteration as end:
            return found, end.value


LOGITS = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=20)


@given(LOGITS, st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.just(math.inf)))
def test_a_distribution_sums_to_one_at_any_temperature(logits: list[float], temperature: float) -> None:
    found = distribution(torch.tensor(logits), temperature)
    assert torch.isfinite(found).all() and (found >= 0).all()
    assert found.sum().item() == pytest.approx(1.0, abs=1e-12)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=9), st.floats(0.1, 10))
def test_it_is_the_lectures_formula(logits: list[float], temperature: float) -> None:
    z = torch.tensor(logits, dtype=torch.float64)
    powers = torch.exp(z / temperature)
    torch.testing.assert_close(distribution(z, temperature), powers / powers.sum())


def test_temperature_zero_is_the_argmax_and_infinity_is_uniform() -> None:
    logits = torch.tensor([1.0, 3.0, -math.inf, 3.0])
    assert distribution(logits, 0).tolist() == [0, 1, 0, 0]
    assert distribution(logits, math.inf).tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert distribution(logits, 1e-6).tolist() == pytest.approx([0, 0.5, 0, 0.5])


def test_samples_follow_the_distribution() -> None:
    """Chi-square of 20,000 first characters against the model's probabilities; the 0.1% point for 6 degrees is 22.5."""
    tokenizer = CharTokenizer("abcdef")
    model = LanguageModel(ModelConfig(vocab_size=9, hidden_size=3, embedding_size=2))
    model.initialise(torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(3)
    config = SampleConfig(temperature=0.7, length=1)
    counts: dict[str, int] = {}
    for _ in range(20_000):
        text = "".join(generate(model, tokenizer, generator, config=config))
        counts[text] = counts.get(text, 0) + 1
    logits = model(torch.tensor([[tokenizer.bos]]))[0][0, 0].detach()
    logits[[tokenizer.bos, tokenizer.unk]] = -math.inf
    expected = distribution(logits, 0.7) * 20_000
    found = [0, counts.get("", 0), 0, *(counts.get(character, 0) for character in "abcdef")]  # BOS, EOS, <unk>
    chi = sum((o - e) ** 2 / e for o, e in zip(found, expected.tolist(), strict=True) if e > 0)
    assert sum(found) == 20_000 and chi < 22.5


CHAR = CharTokenizer("\nabcdefgh")
A, B, C, D = (int(token) for token in CHAR.encode("abcd"))


def test_eos_ends_a_text() -> None:
    assert written(CHAR, [A, B, CHAR.eos]) == (["a", "b"], "eos")
    assert written(CHAR, [CHAR.eos]) == ([], "eos")


def test_length_ends_a_text_exactly() -> None:
    assert written(CHAR, [A, B], length=3) == (["a", "b", "a"], "length")
    assert written(CHAR, [A], length=0) == ([], "length")


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        (("c",), ("ab", "stop")),
        (("bcd",), ("a", "stop")),
        (("bd", "abcde"), ("abcdabcdab", "length")),
        (("abcd",), ("", "stop")),
        (("da",), ("abc", "stop")),
        (("zz", "cda"), ("ab", "stop")),
    ],
)
def test_a_stop_text_ends_before_it_across_tokens(stops: tuple[str, ...], expected: tuple[str, str]) -> None:
    pieces, reason = written(CHAR, [A, B, C, D], stop=stops, length=10)
    assert ("".join(pieces), reason) == expected


def test_a_character_of_several_bytes_comes_whole() -> None:
    tokenizer = ByteTokenizer()
    tokens = [*"é😀".encode(), tokenizer.eos]
    assert written(tokenizer, tokens) == (["é", "😀"], "eos")
    assert written(tokenizer, tokens, length=1) == (["é"], "length")


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    tokenizer = ByteTokenizer()
    pieces, _ = written(tokenizer, [0xC3, 0x28, 0xF0, tokenizer.eos])
    assert "".join(pieces) == "\ufffd(\ufffd"


def test_the_prefix_is_read_and_written_first() -> None:
    model = LanguageModel(ModelConfig(vocab_size=CHAR.vocab_size, hidden_size=6, embedding_size=3))
    model.initialise(torch.Generator().manual_seed(1))
    config = SampleConfig(length=20)
    texts = {
        prefix: "".join(generate(model.eval(), CHAR, torch.Generator().manual_seed(5), prefix=prefix, config=config))
        for prefix in ("", "ab", "ba")
    }
    assert texts["ab"].startswith("ab") and texts["ba"].startswith("ba")
    ids = torch.tensor([[CHAR.bos], [A], [B]])
    logits, states = model(ids)
    generator, expected = torch.Generator().manual_seed(5), "ab"
    for _ in range(20):
        logits = logits[-1, 0].detach()
        logits[[CHAR.bos, CHAR.unk]] = -math.inf
        token = int(torch.multinomial(distribution(logits, 1.0), 1, generator=generator))
        if token == CHAR.eos:
            break
        expected += CHAR.decode([token])
        logits, states = model(torch.tensor([[token]]), states)
    assert texts["ab"] == expected


def test_an_unknown_prefix_character_is_named_with_its_position() -> None:
    model = Script(CHAR, [A, CHAR.eos])
    with pytest.raises(UnknownCharacterError, match=r"character 'é' \(U\+00E9\) at position 2 .*--unknown skip"):
        list(generate(model, CHAR, torch.Generator(), prefix="abé"))
    for unknown in ("skip", "replace"):
        pieces = generate(model, CHAR, torch.Generator(), prefix="é", config=SampleConfig(unknown=unknown))
        assert next(pieces) == "é"


def test_bos_and_unk_are_never_written() -> None:
    pieces, _ = written(CHAR, [CHAR.bos, CHAR.unk], temperature=math.inf, length=200)
    assert "\ufffd" not in "".join(pieces) and len("".join(pieces)) > 0
