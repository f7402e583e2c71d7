"""The words of a list follow the model's own probabilities in each place."""

import math

import torch

from charlm.sampling import SampleConfig, generate_many
from charlm.tokenizers import CharTokenizer

LETTERS = CharTokenizer(" abx")


def test_a_word_is_as_probable_as_the_model_finds_it_whatever_would_follow(uneven) -> None:
    """After a b the model likes to write x, which is no word of the list; nevertheless it writes b."""
    model = uneven(LETTERS, cell="rnn")
    layer = dict(model.recurrent.layers[0].named_parameters())
    a, b, x, space = (int(LETTERS.encode(letter)[0]) for letter in "abx ")
    with torch.no_grad():  # the first unit remembers the last a or b
        for weight in (model.embedding, model.output, layer["recurrent"], layer["input"], layer["bias"]):
            weight.zero_()
        model.embedding[a, 0], model.embedding[b, 0] = 1, -1
        layer["recurrent"][0, 0], layer["input"][0, 0] = 3, 8
        model.output[x, 0] = -2
        model.output_bias[:] = -30
        model.output_bias[[a, b, x, space]] = 0
    config = SampleConfig(length=40, words=("a", "b"), temperature=1.0, prefix_in_output=False)
    texts = [text.text for text in generate_many(model, LETTERS, seed=1, num=20, prefix="a ", config=config)]
    letters = "".join(texts).replace(" ", "")
    ends = {letter: 1 / (3 + math.exp(logit)) for letter, logit in (("a", -2), ("b", 2))}  # with a space
    share = ends["b"] / (ends["a"] + ends["b"])
    assert abs(letters.count("b") / len(letters) - share) < 0.06
