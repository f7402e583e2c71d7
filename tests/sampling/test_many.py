import pytest
import torch
from toys import LETTERS, bigrams, network

from charlm.sampling import SampleConfig, generate, write_many
from charlm.tokenizers import ByteTokenizer


@pytest.mark.parametrize("kind", ["bigrams", "lstm", "gru-reset-after"])
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_a_text_is_the_same_whatever_stands_beside_it(kind: str, batch: int) -> None:
    model = bigrams(9) if kind == "bigrams" else network(LETTERS, kind, num_layers=2)
    if kind == "bigrams":
        model.table[:, LETTERS.eos] -= 1.5
    config = SampleConfig(length=12, top_p=0.98, stop=("ff",), ban=("bc",))
    texts = [*write_many(model, LETTERS, seed=5, num=20, batch=batch, prefix="a", config=config)]
    for number, text in enumerate(texts):
        generator = torch.Generator().manual_seed(5 + number)
        assert "".join(generate(model, LETTERS, generator, prefix="a", config=config)) == text.text
    assert len({text.text for text in texts}) > 5 and len({text.ended for text in texts}) > 1


def test_texts_come_in_order_while_rows_are_filled_again() -> None:
    """The first text is the longest by far; what is ready waits for it."""
    model = bigrams(9)
    config = SampleConfig(length=40)
    one_by_one = [*write_many(model, LETTERS, seed=1, num=50, batch=1, config=config)]
    found = [*write_many(model, LETTERS, seed=1, num=50, batch=4, config=config)]
    assert [(text.text, text.ended) for text in found] == [(text.text, text.ended) for text in one_by_one]
    assert [text.log_probability for text in found] == pytest.approx([text.log_probability for text in one_by_one])
    lengths = {text.characters for text in one_by_one}
    assert len(lengths) > 5


@pytest.mark.parametrize("num", [1, 3])
def test_a_length_of_zero_writes_the_prefix(num: int) -> None:
    texts = [*write_many(bigrams(9), LETTERS, seed=1, num=num, batch=2, prefix="ab", config=SampleConfig(length=0))]
    assert [(text.text, text.ended, text.characters) for text in texts] == [("ab", "length", 0)] * num


def test_many_bytes_leave_characters_whole() -> None:
    tokenizer = ByteTokenizer()
    model = bigrams(tokenizer.vocab_size)
    model.table[:] = -20.0
    cycle = [tokenizer.bos, *"é😀Ж".encode()]
    for one, other in zip(cycle, [*cycle[1:], cycle[1]], strict=True):
        model.table[one, other] = 20.0
    config = SampleConfig(length=7)
    texts = [*write_many(model, tokenizer, seed=1, num=5, batch=3, config=config)]
    assert {text.text for text in texts} == {"é😀Жé😀Жé"}
