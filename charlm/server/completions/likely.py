"""The likeliest characters at each place of a text, while it is written."""

import torch

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.tokenizers import Tokenizer

_CHUNK = 1024  # characters read at a time

Ranking = dict[str, float]
"""Characters with their nats; the end of the text is the empty string."""


class LikelyCharacters:
    """Follows a text through a model whose tokens are characters."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, number: int) -> None:
        """Begin before the first character; `number` is that of the characters in a ranking."""
        self._model, self._tokenizer = model, tokenizer
        self._last = tokenizer.bos
        self._states: LayerStates | None = None
        hidden = {*tokenizer.never_written} - {tokenizer.eos}
        self._shown = torch.tensor([token for token in range(tokenizer.vocab_size) if token not in hidden])
        self._names = [tokenizer.decode([token]) for token in self._shown.tolist()]
        self._number = min(number, len(self._names))

    @torch.inference_mode()
    def read(self, text: str) -> tuple[Ranking, ...]:
        """The rankings before each of the next characters, by the model alone."""
        tokens = self._tokenizer.encode(text, unknown="replace").tolist()
        rankings = list[Ranking]()
        for start in range(0, len(tokens), _CHUNK):
            chunk = tokens[start : start + _CHUNK]
            logits, self._states = self._model(torch.tensor([self._last, *chunk[:-1]])[:, None], self._states)
            self._last = chunk[-1]
            best = torch.log_softmax(logits[:, 0], dim=-1)[:, self._shown].topk(self._number, dim=-1)
            for indices, nats in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                rankings.append({self._names[index]: value for index, value in zip(indices, nats, strict=True)})
        return tuple(rankings)
