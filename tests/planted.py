"""A model with a unit that is known, and texts that move it."""

from collections.abc import Callable
from pathlib import Path

import torch

from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint, save
from charlm.tokenizers import CharTokenizer


class Planted:
    """A model with a unit that is known: it goes to 1 with an x and to -1 with a y, stays there, and writes a or b."""

    tokenizer = CharTokenizer("abxy")
    unit = 3

    def __init__(self, network: Callable[..., LanguageModel]) -> None:
        self._network = network

    def model(self, cell: str = "rnn") -> LanguageModel:
        """Unit 3 of 6 remembers the last x or y; the logit of a is it, that of b minus it; the rest is noise."""
        size = self.tokenizer.vocab_size
        model = self._network(seed=2, cell=cell, vocab_size=size, hidden_size=6, embedding_size=6).eval()
        x, y, a, b = (int(self.tokenizer.encode(letter)[0]) for letter in "xyab")
        layer = dict(model.recurrent.layers[0].named_parameters())
        with torch.no_grad():
            model.embedding[:, self.unit] = 0
            model.embedding[x, self.unit], model.embedding[y, self.unit] = 1, -1
            for weight, own in ((layer["recurrent"], 3.0), (layer["input"], 8.0)):
                weight[self.unit] = 0
                weight[self.unit, self.unit] = own
            layer["bias"][self.unit] = 0
            model.output.zero_()
            model.output[a, self.unit], model.output[b, self.unit] = 1, -1
            model.output_bias[:] = -20
            model.output_bias[[a, b]] = 0
        return model

    def save(self, path: Path) -> None:
        """Write the model as a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, Checkpoint(model=self.model(), tokenizer=self.tokenizer))

    def texts(self, label: str, count: int, seed: int, *, consistent: bool = False) -> list[str]:
        """Random texts of a and b with an x (positive) or a y (negative) somewhere.

        `consistent`: only a follows the x, and only b the y.
        """
        generator = torch.Generator().manual_seed(seed)
        letter, following = ("x", "aaaa") if label == "positive" else ("y", "bbbb")
        following = following if consistent else "abab"
        texts = []
        for _ in range(count):
            at = int(torch.randint(8, (1,), generator=generator))
            drawn = torch.randint(4, (at + 12,), generator=generator).tolist()
            before = ["abab"[index] for index in drawn[:at]]
            texts.append("".join([*before, letter, *(following[index] for index in drawn[at:])]))
        return texts
