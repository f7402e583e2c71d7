import math
from itertools import pairwise

import pytest
import torch

from charlm.config import ModelConfig
from charlm.errors import ConfigError, UnknownCharacterError
from charlm.model.language_model import LanguageModel
from charlm.sampling import SampleConfig, distribution, generate_chunks, generate_many
from charlm.sampling.config import Bias
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
        position = 0 if states is None else int(states[0][0][0, 0])
        logits = torch.full((*ids.shape, self.config.vocab_size), -50.0)
        for step in range(ids.shape[0]):
            logits[step, :, self.tokens[(position + step) % len(self.tokens)]] = 50.0
        return logits, ((torch.full((ids.shape[1], 1), float(position + ids.shape[0])),),)


def written(tokenizer: Tokenizer, tokens: list[int], **settings) -> tuple[list[str], str]:
    chunks = generate_chunks(
        Script(tokenizer, tokens), tokenizer, torch.Generator().manual_seed(1), config=SampleConfig(**settings)
    )
    texts = []
    while True:
        try:
            texts.append(next(chunks).text)
        except StopIteration as end:
            return texts, end.value.ended


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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("stop", "expected"), [("\n\n", "ab\nc"), ("\r\n\r\n", "ab\nc"), ("\n", "ab"), ("c\n\na", "ab\n"), ("\n\nb", None)]
)
def test_a_line_end_in_a_stop_text_is_any_line_end(end: str, stop: str, expected: str | None) -> None:
    tokenizer = CharTokenizer("\n\rabc")
    tokens = tokenizer.encode("ab\nc\n\na".replace("\n", end)).tolist()
    pieces, reason = written(tokenizer, tokens, stop=(stop,), length=len(tokens))
    whole = tokenizer.decode(tokens)
    assert ("".join(pieces), reason) == (
        (whole, "length") if expected is None else (expected.replace("\n", end), "stop")
    )


def test_a_character_of_several_bytes_comes_whole() -> None:
    tokenizer = ByteTokenizer()
    tokens = [*"é😀".encode(), tokenizer.eos]
    assert written(tokenizer, tokens) == (["é", "😀"], "eos")
    assert written(tokenizer, tokens, length=1) == (["é"], "length")


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    tokenizer = ByteTokenizer()
    pieces, _ = written(tokenizer, [0xC3, 0x28, 0xF0, tokenizer.eos])
    assert "".join(pieces) == "\ufffd(\ufffd"


def test_the_prefix_is_read_and_written_first(write_text) -> None:
    model = LanguageModel(ModelConfig(vocab_size=CHAR.vocab_size, hidden_size=6, embedding_size=3)).eval()
    model.initialise(torch.Generator().manual_seed(1))
    config = SampleConfig(length=20)
    texts = {
        prefix: write_text(model, CHAR, torch.Generator().manual_seed(5), prefix=prefix, config=config)
        for prefix in ("", "ab", "ba")
    }
    assert texts["ab"].startswith("ab") and texts["ba"].startswith("ba")
    ids = torch.tensor([[CHAR.bos], [A], [B]])
    logits, states = model(ids)
    numbers, expected = torch.rand(256, dtype=torch.float64, generator=torch.Generator().manual_seed(5)), "ab"
    for number in numbers[:20]:
        logits = logits[-1, 0].detach()
        logits[[CHAR.bos, CHAR.unk]] = -math.inf
        token = int((distribution(logits, 1.0).cumsum(0) <= number).sum())
        if token == CHAR.eos:
            break
        expected += CHAR.decode([token])
        logits, states = model(torch.tensor([[token]]), states)
    assert texts["ab"] == expected


def test_an_unknown_prefix_character_is_named_with_its_position() -> None:
    model = Script(CHAR, [A, CHAR.eos])
    with pytest.raises(UnknownCharacterError, match=r"character 'é' \(U\+00E9\) at position 2 .*--unknown nearest"):
        list(generate_chunks(model, CHAR, torch.Generator(), prefix="abé"))
    for unknown in ("skip", "replace"):
        chunks = generate_chunks(model, CHAR, torch.Generator(), prefix="é", config=SampleConfig(unknown=unknown))
        assert next(chunks).text == "é"


def test_bos_and_unk_are_never_written() -> None:
    pieces, _ = written(CHAR, [CHAR.bos, CHAR.unk], temperature=math.inf, length=200, min_length=200)
    assert "\ufffd" not in "".join(pieces) and len("".join(pieces)) > 0


def test_the_least_length_holds_back_the_end_and_stop_texts() -> None:
    assert written(CHAR, [A, CHAR.eos], length=3, min_length=3, temperature=math.inf)[1] == "length"
    pieces, reason = written(CHAR, [A, B, C, D], stop=("bc",), min_length=3, length=20)
    assert ("".join(pieces), reason) == ("abcda", "stop")
    pieces, reason = written(CHAR, [A, B, C, D, CHAR.eos], min_length=4)
    assert ("".join(pieces), reason) == ("abcd", "eos")


def test_until_eos_goes_beyond_the_length() -> None:
    tokens = [A] * 700 + [CHAR.eos]
    assert written(CHAR, tokens)[1] == "length"
    pieces, reason = written(CHAR, tokens, until_eos=True)
    assert ("".join(pieces), reason) == ("a" * 700, "eos")


def test_a_bias_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="'ab', which is not a token of this model"):
        written(CHAR, [A], bias=(Bias("ab", 1.0),))


def test_the_prefix_can_be_left_out(write_text) -> None:
    generator = torch.Generator().manual_seed(1)
    config = SampleConfig(length=3, prefix_in_output=False)
    text = write_text(Script(CHAR, [A, B, C, D]), CHAR, generator, prefix="ab", config=config)
    assert text == "cda"  # a and b were read in their places


@pytest.mark.parametrize("prefix", ["", "ab"])
def test_log_probabilities_are_the_models_own(bigrams, write_texts, letters, prefix: str) -> None:
    """Whatever the controls, a text is charged what the model gives it, its end among it."""
    model = bigrams(9)
    for text in write_texts(model, letters, 50, prefix=prefix, length=8, temperature=0.7, top_k=4, bias=("a=+1",)):
        own = letters.encode(text.text[len(prefix) :]).tolist()
        last = letters.encode(prefix).tolist()[-1] if prefix else letters.bos
        path = [last, *own, *([letters.eos] if text.ended == "eos" else [])]
        log_p = torch.log_softmax(model.table.double(), -1)
        nats = [log_p[pair].item() for pair in pairwise(path)]
        assert text.log_probability == pytest.approx(sum(nats))
        assert text.log_probabilities == pytest.approx(nats[: len(own)])
        assert text.bits_per_character == pytest.approx(-sum(nats) / math.log(2) / max(1, len(own)))


def test_a_cut_token_is_charged_by_its_share(bigrams, word_tokenizer, write_texts) -> None:
    model = bigrams(3)
    model.table[:] = torch.tensor([0.0, -math.inf, 0.0])  # BOS is never written, and has half the probability
    (text,) = write_texts(model, word_tokenizer("abcd"), 1, length=3)
    assert (text.text, text.ended) == ("abc", "length")
    assert text.log_probability == pytest.approx(math.log(0.5) * 3 / 4)


def test_pieces_bear_the_probabilities_of_their_characters(uneven) -> None:
    tokenizer = ByteTokenizer()
    run = generate_chunks(uneven(tokenizer), tokenizer, torch.Generator().manual_seed(3), prefix="é")
    pieces, whole = [], None
    while whole is None:
        try:
            pieces.append(next(run))
        except StopIteration as end:
            whole = end.value
    assert pieces[0].text == "é" and pieces[0].log_probabilities == ()
    assert "".join(piece.text for piece in pieces) == whole.text
    assert all(len(piece.text) == len(piece.log_probabilities) for piece in pieces[1:])
    assert tuple(nats for piece in pieces for nats in piece.log_probabilities) == whole.log_probabilities


@pytest.mark.parametrize("kind", ["bigrams", "lstm", "gru-reset-after"])
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_a_text_is_the_same_whatever_stands_beside_it(
    uneven, bigrams, letters, write_text, kind: str, batch: int
) -> None:
    model = bigrams(9) if kind == "bigrams" else uneven(letters, kind, num_layers=2)
    if kind == "bigrams":
        model.table[:, letters.eos] -= 1.5
    config = SampleConfig(length=12, top_p=0.98, stop=("ff",), ban=("bc",))
    texts = [*generate_many(model, letters, seed=5, num=20, batch=batch, prefix="a", config=config)]
    for number, text in enumerate(texts):
        generator = torch.Generator().manual_seed(5 + number)
        assert write_text(model, letters, generator, prefix="a", config=config) == text.text
    assert len({text.text for text in texts}) > 5 and len({text.ended for text in texts}) > 1


def test_texts_come_in_order_while_rows_are_filled_again(bigrams, letters) -> None:
    """The first text is the longest by far; what is ready waits for it."""
    model = bigrams(9)
    config = SampleConfig(length=40)
    one_by_one = [*generate_many(model, letters, seed=1, num=50, batch=1, config=config)]
    found = [*generate_many(model, letters, seed=1, num=50, batch=4, config=config)]
    assert [(text.text, text.ended) for text in found] == [(text.text, text.ended) for text in one_by_one]
    assert [text.log_probability for text in found] == pytest.approx([text.log_probability for text in one_by_one])
    lengths = {text.characters for text in one_by_one}
    assert len(lengths) > 5


@pytest.mark.parametrize("num", [1, 3])
def test_a_length_of_zero_writes_the_prefix(bigrams, letters, num: int) -> None:
    texts = [*generate_many(bigrams(9), letters, seed=1, num=num, batch=2, prefix="ab", config=SampleConfig(length=0))]
    assert [(text.text, text.ended, text.characters) for text in texts] == [("ab", "length", 0)] * num


def test_many_bytes_leave_characters_whole(bigrams) -> None:
    tokenizer = ByteTokenizer()
    model = bigrams(tokenizer.vocab_size)
    model.table[:] = -20.0
    cycle = [tokenizer.bos, *"é😀Ж".encode()]
    for one, other in zip(cycle, [*cycle[1:], cycle[1]], strict=True):
        model.table[one, other] = 20.0
    config = SampleConfig(length=7)
    texts = [*generate_many(model, tokenizer, seed=1, num=5, batch=3, config=config)]
    assert {text.text for text in texts} == {"é😀Жé😀Жé"}
