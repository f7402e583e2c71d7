"""The request of a completion: its fields, with the limits and the meaning that they have here."""

from dataclasses import dataclass
from typing import Any, get_args

from charlm.config import Unknown
from charlm.nouns import count_of
from charlm.sampling.config import Bias, SampleConfig
from charlm.server.bodies import Fields, take_labels
from charlm.server.errors import RequestError
from charlm.tokenizers import Tokenizer

MOST_CHARACTERS = 100_000
"""The most characters of a prompt, and of a text."""
_MOST_PROMPTS, _MOST_TEXTS, _MOST_STOPS = 16, 16, 16
_MOST_LIKELY = 20
_MOST_SEED = 2**63 - 1 - _MOST_PROMPTS * _MOST_TEXTS
_LARGEST_BIAS = 100.0
_UNUSED = ("user", "metadata", "store")
"""Fields that say nothing about the text."""
_NEUTRAL = {"presence_penalty": 0, "frequency_penalty": 0, "suffix": ""}
"""Fields that charlm doesn't support, each with the value that has no effect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionRequest:
    """A request for completions, without its model."""

    prompts: tuple[str, ...]
    config: SampleConfig
    """The settings of sampling, without the prompt in the text."""
    echo: bool
    """Whether a text begins with its prompt."""
    num: int
    """Texts for each prompt."""
    seed: int | None
    logprobs: int | None
    """How many likely characters to report at each place; None reports no log-probabilities at all."""
    labels: tuple[str, ...]
    """Labels of the texts, such as "mood=positive"; an extension of the API."""
    usage: bool
    """Whether a stream ends with the number of characters."""


def parse_request(fields: Fields, tokenizer: Tokenizer) -> CompletionRequest:
    """Parse a request; raises `RequestError` for a field that is out of range, unknown, or has no meaning here."""
    fields.flag("stream")  # for the route, which answers with one or the other
    options = fields.take("stream_options", {})
    if not isinstance(options, dict):
        raise RequestError("stream_options must be an object, such as {}", param="stream_options")
    num = fields.whole("n", 1, 1, _MOST_TEXTS)
    if fields.whole("best_of", num, 1, _MOST_TEXTS) != num:
        raise RequestError("best_of differs from n; charlm returns every text that it writes", param="best_of")
    for name, value in _NEUTRAL.items():
        if fields.take(name, value) != value:
            raise RequestError(f"charlm has no {name}; leave it out", param=name)
    for name in _UNUSED:
        fields.take(name)
    stop = fields.texts("stop", number=_MOST_STOPS, most=1000)
    config = SampleConfig(
        temperature=fields.number("temperature", 1.0, 0, 100),
        top_p=max(1e-9, fields.number("top_p", 1.0, 0, 1)),
        top_k=fields.whole("top_k", 0, 0, 1_000_000),
        min_p=fields.number("min_p", 0.0, 0, 1),
        length=fields.optional_whole("max_tokens", 0, MOST_CHARACTERS),
        stop=stop,
        bias=_biases(fields.take("logit_bias", {}), tokenizer),
        prefix_in_output=False,
        unknown=fields.choice("unknown", "error", get_args(Unknown)),  # type: ignore[arg-type]
    )
    request = CompletionRequest(
        prompts=_prompts(fields.take("prompt", ""), tokenizer),
        config=config,
        echo=fields.flag("echo"),
        num=num,
        seed=fields.optional_whole("seed", 0, _MOST_SEED),
        logprobs=_logprobs(fields),
        labels=take_labels(fields),
        usage=options.get("include_usage") is True,
    )
    fields.require_all_taken()
    return request


def _logprobs(fields: Fields) -> int | None:
    """How many alternatives are requested; true and false are those of the chat API."""
    value = fields.take("logprobs")
    if isinstance(value, bool):
        return 0 if value else None
    return fields.optional_whole("logprobs", 0, _MOST_LIKELY)


def _prompts(value: Any, tokenizer: Tokenizer) -> tuple[str, ...]:
    """One or several texts; a text may be a list of token ids."""
    values = value if isinstance(value, list) and value and not isinstance(value[0], int) else [value]
    if len(values) > _MOST_PROMPTS:
        raise RequestError(f"prompt has {count_of(len(values), 'text')}; give at most {_MOST_PROMPTS}", param="prompt")
    return tuple(_prompt(one, tokenizer) for one in values)


def _prompt(value: Any, tokenizer: Tokenizer) -> str:
    if isinstance(value, list) and len(value) <= MOST_CHARACTERS and all(type(token) is int for token in value):
        if any(not 0 <= token < tokenizer.vocab_size for token in value):
            raise RequestError(f"prompt has a token outside 0 to {tokenizer.vocab_size - 1}", param="prompt")
        value = tokenizer.decode(value)
    return Fields({"prompt": value}).text("prompt", most=MOST_CHARACTERS)


def _biases(values: Any, tokenizer: Tokenizer) -> tuple[Bias, ...]:
    """The biases by token id, in nats; a bias of 100 or -100 chooses or bans the token."""
    if not isinstance(values, dict) or len(values) > tokenizer.vocab_size:
        raise RequestError("logit_bias must be an object from token ids to numbers", param="logit_bias")
    biases = []
    for key, nats in values.items():
        token = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else -1
        if not 0 <= token < tokenizer.vocab_size or token in tokenizer.never_written or token == tokenizer.eos:
            raise RequestError(f"logit_bias has {key!r}, which is no token that can be written", param="logit_bias")
        if isinstance(nats, bool) or not isinstance(nats, int | float) or not abs(nats) <= _LARGEST_BIAS:
            raise RequestError(f"logit_bias of {key} must be from -100 to 100", param="logit_bias")
        biases.append(Bias(tokenizer.decode([token]), float(nats)))
    return tuple(biases)
