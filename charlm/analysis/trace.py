"""A model followed character by character: the toy of every lecture on language models, with all its numbers."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from charlm.cells import LayerStates, find_cell
from charlm.config import ModelConfig, TrainConfig, check_range
from charlm.data.dataset import SplitFacts, TokenSplit
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling import distribution
from charlm.tokenizers.char import CharTokenizer
from charlm.training.state import begin
from charlm.training.trainer import training_steps

BOS, EOS = "<BOS>", "<EOS>"
_LONGEST = 64
_EMBEDDING = 8
_LEARNING_RATE = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedStep:
    """One step of the model."""

    reads: str
    """The input: a character or <BOS>."""
    states: dict[str, list[float]]
    """The layer's states after the step by their names, H values each; h is the hidden state."""
    distribution: dict[str, float]
    """Probability of each next character, and of <EOS>; what is never written, <BOS> and <unk>, is ruled out."""
    says: str
    """The likeliest of them."""
    target: str | None
    """What follows in the text; None where the model reads its own output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """A toy model before and after it has learnt a text, and what it then writes."""

    text: str
    cell: str
    hidden_size: int
    steps: int
    seed: int
    before: tuple[TracedStep, ...]
    """Reading the text with its initial weights."""
    after: tuple[TracedStep, ...]
    """Reading the text (teacher forcing) after training."""
    generation: tuple[TracedStep, ...]
    """Reading, from <BOS> on, the likeliest character of the step before, until that is <EOS>."""
    losses: tuple[float, ...]
    """Of each training step, nats per token."""

    @property
    def written(self) -> str:
        """The text that was generated."""
        return "".join(step.says for step in self.generation if step.says != EOS)

    @property
    def learnt(self) -> bool:
        """Whether the model writes the text, and ends it."""
        return self.written == self.text and self.generation[-1].says == EOS

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"written": self.written, "learnt": self.learnt}


def trace(text: str, *, cell: str = "rnn", hidden_size: int = 3, steps: int = 500, seed: int = 1) -> Trace:
    """Train a model of one layer on one short text, and follow it step by step.

    Args:
        text: what to learn, 1 to 64 characters; its distinct characters are the vocabulary.
        cell: a name of `charlm.cells.CELLS`.
        hidden_size: H.
        steps: of training, each on the whole text.
        seed: of the initial weights.

    Raises:
        CharlmError: one of its kinds, for whatever a user can mend.
    """
    if not 1 <= len(text) <= _LONGEST:
        raise ConfigError(f"--text has {len(text)} characters; give 1 to {_LONGEST}, such as hello")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError("--text is not valid Unicode; give a text that is, such as hello")
    check_range("--steps", steps, 1, 10**9)
    name = find_cell(cell).name
    tokenizer = CharTokenizer("".join(sorted(set(text))))
    tokens = [tokenizer.bos, *tokenizer.encode(text).tolist(), tokenizer.eos]
    model = LanguageModel(
        ModelConfig(
            vocab_size=tokenizer.vocab_size, cell=name, hidden_size=hidden_size, embedding_size=_EMBEDDING, dropout=0.0
        )
    )
    config = TrainConfig(
        steps=steps,
        batch_size=1,
        seq_len=len(tokens) - 1,
        learning_rate=_LEARNING_RATE,
        weight_decay=0.0,
        seed=seed,
        device="cpu",
        precision="float32",
    )
    model.initialise(torch.Generator().manual_seed(seed))
    before = tuple(read(model, tokenizer, tokens))
    split = TokenSplit(
        np.array(tokens),
        np.array([0, len(tokens)]),
        SplitFacts(documents=1, characters=len(text), bytes=len(text.encode()), tokens=len(tokens) - 1),
    )
    state = begin(model, config, torch.device("cpu"), time.monotonic())
    losses = tuple(record.loss for record in training_steps(state, split, config))
    return Trace(
        text=text,
        cell=name,
        hidden_size=hidden_size,
        steps=steps,
        seed=seed,
        before=before,
        after=tuple(read(model, tokenizer, tokens)),
        generation=tuple(write(model, tokenizer, limit=2 * len(text) + 8)),
        losses=losses,
    )


def read(model: LanguageModel, tokenizer: CharTokenizer, tokens: list[int]) -> Iterator[TracedStep]:
    """Follow a model that reads `tokens`, BOS first, and is asked at each for the next (teacher forcing)."""
    states = None
    for token, target in pairwise(tokens):
        step, states = _step(model, tokenizer, token, states, target=_name(tokenizer, target))
        yield step


def write(model: LanguageModel, tokenizer: CharTokenizer, *, limit: int) -> Iterator[TracedStep]:
    """Follow a model that reads BOS and then its own likeliest token, until that is EOS or for `limit` steps."""
    ids = {_name(tokenizer, token): token for token in range(tokenizer.vocab_size)}
    token, states = tokenizer.bos, None
    for _ in range(limit):
        step, states = _step(model, tokenizer, token, states, target=None)
        yield step
        token = ids[step.says]
        if token == tokenizer.eos:
            return


@torch.inference_mode()
def _step(
    model: LanguageModel, tokenizer: CharTokenizer, token: int, states: LayerStates | None, *, target: str | None
) -> tuple[TracedStep, LayerStates]:
    model.eval()
    logits, states = model(torch.tensor([[token]]), states)
    logits = logits[0, 0]
    logits[list(tokenizer.never_written)] = -torch.inf
    chances = distribution(logits, 1.0)  # (V,)
    written = set(range(tokenizer.vocab_size)) - {*tokenizer.never_written, tokenizer.eos}
    step = TracedStep(
        reads=_name(tokenizer, token),
        states={name: part[0].tolist() for name, part in zip(model.recurrent.cell.states, states[-1], strict=True)},
        distribution={_name(tokenizer, one): float(chances[one]) for one in [*sorted(written), tokenizer.eos]},
        says=_name(tokenizer, int(chances.argmax())),
        target=target,
    )
    return step, states


def _name(tokenizer: CharTokenizer, token: int) -> str:
    """The character of a token, or what stands for it."""
    return {tokenizer.bos: BOS, tokenizer.eos: EOS}.get(token) or tokenizer.decode([token])
