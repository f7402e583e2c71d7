"""A model with a unit that is known: it goes to 1 with an x and to -1 with a y, stays there, and writes a or b."""

import torch

from charlm.config import ModelConfig
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint, save
from charlm.tokenizers import CharTokenizer

TOKENS = CharTokenizer("abxy")
UNIT = 3


def planted(cell: str = "rnn", *, hidden: int = 6) -> LanguageModel:
    """Unit 3 remembers the last x or y; the logit of a is it, that of b minus it; the rest is noise."""
    config = ModelConfig(cell=cell, vocab_size=TOKENS.vocab_size, hidden_size=hidden, embedding_size=hidden)
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(2))
    x, y, a, b = (int(TOKENS.encode(letter)[0]) for letter in "xyab")
    layer = dict(model.recurrent.layers[0].named_parameters())
    with torch.no_grad():
        model.embedding[:, UNIT] = 0
        model.embedding[x, UNIT], model.embedding[y, UNIT] = 1, -1
        for weight, own in ((layer["recurrent"], 3.0), (layer["input"], 8.0)):
            weight[UNIT] = 0
            weight[UNIT, UNIT] = own
        layer["bias"][UNIT] = 0
        model.output.zero_()
        model.output[a, UNIT], model.output[b, UNIT] = 1, -1
        model.output_bias[:] = -20
        model.output_bias[[a, b]] = 0
    return model


def planted_file(path) -> None:
    """The model as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, Checkpoint(model=planted(), tokenizer=TOKENS))


def texts(label: str, count: int, seed: int, *, sure: bool = False) -> list[str]:
    """Random texts of a and b in which somewhere stands an x (positive) or a y (negative); `sure`, nothing but a
    follows the x, and nothing but b the y."""
    generator = torch.Generator().manual_seed(seed)
    letter, following = ("x", "aaaa") if label == "positive" else ("y", "bbbb")
    following = following if sure else "abab"
    found = []
    for _ in range(count):
        at = int(torch.randint(8, (1,), generator=generator))
        drawn = torch.randint(4, (at + 12,), generator=generator).tolist()
        before = ["abab"[index] for index in drawn[:at]]
        found.append("".join([*before, letter, *(following[index] for index in drawn[at:])]))
    return found
