"""Train a tiny character model on one short text and record its states and distributions at every step."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from charlm.cells import LayerStates, find_cell
from charlm.config import ModelConfig, TrainConfig, check_range
from charlm.data.encoded.parts import SplitFacts
from charlm.data.token_split import TokenSplit
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.sampling import distribution
from charlm.tokenizers.char import CharTokenizer
from charlm.training.state import begin
from charlm.training.steps import training_steps

BOS, EOS = "<BOS>", "<EOS>"
_MAX_CHARACTERS = 64
_EMBEDDING_SIZE = 8
_LEARNING_RATE = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedStep:
    """One time step of the model."""

    reads: str
    """The input: a character or <BOS>."""
    states: dict[str, list[float]]
    """The layer's states after the step by name, H values each; h is the hidden state."""
    distribution: dict[str, float]
    """Probability of each next character and of <EOS>; <BOS> and <unk>, which are never generated, have none."""
    says: str
    """The likeliest of them."""
    target: str | None
    """The next character of the text; None if the model reads its own output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """The steps of a model before and after training on a text, and the text it then generates."""

    text: str
    cell: str
    hidden_size: int
    steps: int
    seed: int
    before: tuple[TracedStep, ...]
    """Reading the text with the initial weights."""
    after: tuple[TracedStep, ...]
    """Reading the text after training (teacher forcing)."""
    generation: tuple[TracedStep, ...]
    """Reading <BOS>, then at each step the likeliest character of the previous step, until that is <EOS>."""
    losses: tuple[float, ...]
    """Loss of each training step, nats per token."""

    @property
    def written(self) -> str:
        """The generated text."""
        return "".join(step.says for step in self.generation if step.says != EOS)

    @property
    def learnt(self) -> bool:
        """Whether the generated text is the training text and ends with <EOS>."""
        return self.written == self.text and self.generation[-1].says == EOS

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self) | {"written": self.written, "learnt": self.learnt}


def trace(
    text: str,
    *,
    cell: str = "rnn",
    hidden_size: int = 3,
    steps: int = 500,
    seed: int = 1,
    progress: Progress = silent,
) -> Trace:
    """Train a one-layer model on one short text and record its steps before and after.

    Args:
        text: the training text, 1 to 64 characters; its distinct characters are the vocabulary.
        cell: a name from `charlm.cells.CELLS`.
        hidden_size: H, the width of the hidden state.
        steps: training steps, each on the whole text.
        seed: the random seed of the initial weights.
        progress: receives how many steps are done.

    Raises:
        CharlmError: the text is too short, too long or not valid Unicode, or a setting is out of range.
    """
    _check_text(text)
    check_range("--steps", steps, 1, 10**9)
    check_range("--seed", seed, 0, 2**63 - 1)
    name = find_cell(cell).name
    tokenizer = CharTokenizer("".join(sorted(set(text))))
    tokens = [tokenizer.bos, *tokenizer.encode(text).tolist(), tokenizer.eos]
    model = LanguageModel(
        ModelConfig(
            vocab_size=tokenizer.vocab_size,
            cell=name,
            hidden_size=hidden_size,
            embedding_size=_EMBEDDING_SIZE,
            dropout=0.0,
        )
    )
    model.initialise(torch.Generator().manual_seed(seed))
    before = tuple(read(model, tokenizer, tokens))
    facts = SplitFacts(documents=1, characters=len(text), bytes=len(text.encode()), tokens=len(tokens) - 1)
    split = TokenSplit(np.array(tokens), np.array([0, len(tokens)]), facts)
    losses = []
    for loss in _losses(model, split, steps=steps, seed=seed):
        losses.append(loss)
        progress("training", len(losses), steps)
    return Trace(
        text=text,
        cell=name,
        hidden_size=hidden_size,
        steps=steps,
        seed=seed,
        before=before,
        after=tuple(read(model, tokenizer, tokens)),
        generation=tuple(write(model, tokenizer, limit=2 * len(text) + 8)),
        losses=tuple(losses),
    )


def _check_text(text: str) -> None:
    """Raise `ConfigError` for a text that can't be traced."""
    if not 1 <= len(text) <= _MAX_CHARACTERS:
        raise ConfigError(f"--text has {count_of(len(text), 'character')}; give 1 to {_MAX_CHARACTERS}, such as hello")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError("--text is not valid Unicode; give a valid text, such as hello")


def _losses(model: LanguageModel, split: TokenSplit, *, steps: int, seed: int) -> Iterator[float]:
    """Train a model on a split of one document, and yield the loss of each step."""
    config = TrainConfig(
        steps=steps,
        batch_size=1,
        seq_len=len(split) - 1,
        learning_rate=_LEARNING_RATE,
        weight_decay=0.0,
        seed=seed,
        device="cpu",
        precision="float32",
    )
    state = begin(model, config, torch.device("cpu"), time.monotonic())
    for event in training_steps(state, split, config):
        yield event.loss


def read(model: LanguageModel, tokenizer: CharTokenizer, tokens: list[int]) -> Iterator[TracedStep]:
    """The steps of a model that reads `tokens`, starting with BOS (teacher forcing)."""
    states = None
    for token, target in pairwise(tokens):
        step, states = _step(model, tokenizer, token, states, target=_token_name(tokenizer, target))
        yield step


def write(model: LanguageModel, tokenizer: CharTokenizer, *, limit: int) -> Iterator[TracedStep]:
    """The steps of a model that reads BOS and then its own likeliest token, until EOS or for `limit` steps."""
    ids = {_token_name(tokenizer, token): token for token in range(tokenizer.vocab_size)}
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
    """Read a token; returns what the model makes of it, and the states after it. `target` is what the text has next."""
    model.eval()
    logits, states = model(torch.tensor([[token]]), states)
    logits = logits[0, 0]
    logits[list(tokenizer.never_written)] = -torch.inf
    probabilities = distribution(logits, 1.0)  # (V,)
    characters = set(range(tokenizer.vocab_size)) - {*tokenizer.never_written, tokenizer.eos}
    step = TracedStep(
        reads=_token_name(tokenizer, token),
        states={name: part[0].tolist() for name, part in zip(model.recurrent.cell.states, states[-1], strict=True)},
        distribution={
            _token_name(tokenizer, index): float(probabilities[index]) for index in [*sorted(characters), tokenizer.eos]
        },
        says=_token_name(tokenizer, int(probabilities.argmax())),
        target=target,
    )
    return step, states


def _token_name(tokenizer: CharTokenizer, token: int) -> str:
    """The character of a token, or <BOS> or <EOS>."""
    return {tokenizer.bos: BOS, tokenizer.eos: EOS}.get(token) or tokenizer.decode([token])
