"""From logits to the next token, and from tokens to text as it is written."""

import codecs
import math
from collections.abc import Generator

import torch
from torch import Tensor

from charlm.config import SampleConfig
from charlm.model import LanguageModel
from charlm.recurrent import LayerStates
from charlm.tokenizers import Tokenizer

_READ = 1024  # prefix tokens read at a time


def distribution(logits: Tensor, temperature: float) -> Tensor:
    """Softmax with temperature: p_i = exp(z_i / T) / sum_k exp(z_k / T).

    Args:
        logits: z, (..., V), of any finite size; -inf rules a token out.
        temperature: T. 0 puts all probability on the largest logit (the first of equals), infinity spreads it evenly
            over the tokens that aren't ruled out.

    Returns:
        Probabilities, (..., V) float64, that sum to 1. The largest logit is subtracted before the division, so that no
        temperature overflows.

    Source: the softmax temperature of Ackley, Hinton and Sejnowski 1985, Cognitive Science 9.
    """
    logits = logits.double()
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    below = logits - logits.amax(-1, keepdim=True)
    if math.isinf(temperature):
        below = torch.where(below.isinf(), below, torch.zeros_like(below))
    else:
        below = below / temperature
    return torch.softmax(below, dim=-1)


@torch.inference_mode()
def read_prefix(model: LanguageModel, tokens: list[int]) -> tuple[Tensor, LayerStates]:
    """Logits (V,) of what follows the tokens, and the state after them."""
    states = None
    ids = torch.tensor(tokens, device=model.output_bias.device).unsqueeze(1)  # (T, 1)
    for part in torch.split(ids, _READ):
        logits, states = model(part, states)
    assert states is not None
    return logits[-1, 0], states


@torch.inference_mode()
def sample_tokens(
    model: LanguageModel, tokenizer: Tokenizer, tokens: list[int], temperature: float, generator: torch.Generator
) -> Generator[int, None, None]:
    """Tokens that follow `tokens`, one by one, up to and without EOS; BOS and <unk> are ruled out.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        tokens: what is conditioned on, BOS first.
        temperature: of the softmax.
        generator: a CPU generator that the choices are drawn from.
    """
    ruled_out = list(tokenizer.never_written)
    logits, states = read_prefix(model, tokens)
    while True:
        logits = logits.cpu()
        logits[ruled_out] = -math.inf
        token = int(torch.multinomial(distribution(logits, temperature), 1, generator=generator))
        if token == tokenizer.eos:
            return
        yield token
        logits, states = model(torch.tensor([[token]], device=model.output_bias.device), states)
        logits = logits[0, 0]


def generate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    generator: torch.Generator,
    *,
    prefix: str = "",
    config: SampleConfig | None = None,
) -> Generator[str, None, str]:
    """Write a text, piece by piece as it is decoded, the prefix first.

    The model reads BOS and the prefix, and then each token that was drawn; the state carries all along. A character
    whose bytes span several tokens comes whole, and bytes that are no UTF-8 come as U+FFFD.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        generator: a CPU generator that the choices are drawn from.
        prefix: what the text begins with.
        config: temperature, length, texts to stop at, and what an unknown character in the prefix does.

    Returns:
        (as the generator's value) why it ended: "eos", "length" or "stop".

    Raises:
        UnknownCharacterError: the prefix has a character outside the vocabulary and `config.unknown` is "error".
    """
    config = config or SampleConfig()
    tokens = [tokenizer.bos, *tokenizer.encode(prefix, unknown=config.unknown).tolist()]
    if prefix:
        yield prefix
    if config.length == 0:
        return "length"
    room = config.length
    held = ""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    reason = "eos"
    for token in sample_tokens(model, tokenizer, tokens, config.temperature, generator):
        held += decoder.decode(tokenizer.token_bytes(token))
        stops = [at for at in (held.find(stop) for stop in config.stop) if at >= 0]
        if stops and min(stops) <= room:
            if text := held[: min(stops)]:
                yield text
            return "stop"
        keep = _beginning_of_stop(held, config.stop)
        text, held = held[: len(held) - keep], held[len(held) - keep :]
        if text:
            yield text[:room]
            room -= len(text)
        if len(held) >= room:
            reason = "length"
            break
    if reason == "eos":
        held += decoder.decode(b"", final=True)
    if held and room > 0:
        yield held[:room]
    return reason


def _beginning_of_stop(text: str, stops: tuple[str, ...]) -> int:
    """Length of the longest end of `text` with which one of `stops` begins."""
    for length in range(min(len(text), max(map(len, stops), default=1) - 1), 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return length
    return 0
