"""The batch of a step: how many sequences it reads, how long they are, and how many logits it computes."""

from collections.abc import Collection
from dataclasses import replace

from charlm.config import DEFAULT_NETWORK, SMALL_VOCABULARY, ModelConfig, TrainConfig
from charlm.data.dataset import Dataset
from charlm.training.start import gpu_budget

LARGE_TEXT = 2_000_000
"""Tokens of a training split from which it counts as large."""
_SEQUENCES = (8, 512)
"""Fewest and most per step."""
_SEQUENCES_OF_FINE_TUNING = 16
"""The fewest per step."""
_SEQUENCES_OF_PAIRS = 32
_TOKENS_PER_STEP = 2048
_TOKENS_PER_STEP_OF_LARGE = 1024  # for a large vocabulary, whose tokens carry more information and take longer
_MIN_STEPS_PER_PASS = 100
_MAX_LOGITS = 1 << 24  # in a step, to bound memory
_MOST_TOKENS_OF_FULL_SOFTMAX = 10_000
_SOFTMAX_SAMPLES = 2048  # for a larger vocabulary, whose output layer would take most of the time
_SEQ_LEN_OF_WIDE = 64
_SEQ_LEN_OF_OTHERS = 64  # of a transformer or convolutions, which read the tokens of a window side by side


def with_batch(
    dataset: Dataset,
    config: TrainConfig,
    given: Collection[str],
    *,
    network: ModelConfig,
    match: bool,
    fine_tuning: bool,
    on_gpu: bool,
) -> TrainConfig:
    """The settings with T, B and the number of logits in a step.

    Args:
        dataset: the text.
        config: the settings, of which those in `given` stay.
        given: names of the settings that the user has given.
        network: the network that is trained.
        match: whether the user wants a match.
        fine_tuning: whether the network has learnt from another text.
        on_gpu: whether it is trained on a GPU.
    """
    facts = dataset.train.facts
    if network.network != DEFAULT_NETWORK and "seq_len" not in given:
        config = replace(config, seq_len=_SEQ_LEN_OF_OTHERS)
    if "softmax_samples" not in given:
        config = replace(config, softmax_samples=softmax_samples_for(network.vocab_size, match=match))
    if "batch_size" in given:
        return config
    batch_size = sequences_per_step(
        config, tokens=facts.tokens, documents=facts.documents, vocab_size=network.vocab_size, on_gpu=on_gpu
    )
    if dataset.train.targets is not None:
        batch_size = _SEQUENCES_OF_PAIRS
    if fine_tuning:
        batch_size = max(batch_size, _SEQUENCES_OF_FINE_TUNING)
    return replace(config, batch_size=batch_size)


def with_batch_of_wide(
    dataset: Dataset, config: TrainConfig, given: Collection[str], *, vocab_size: int, fine_tuning: bool
) -> TrainConfig:
    """The settings from `with_batch` with T and B for a wide network; those in `given` stay."""
    facts = dataset.train.facts
    if "seq_len" not in given:
        config = replace(config, seq_len=_SEQ_LEN_OF_WIDE)
    long_documents = _tokens_per_sequence(config, facts.tokens, facts.documents) == config.seq_len
    large = facts.tokens >= LARGE_TEXT and vocab_size <= SMALL_VOCABULARY
    if "batch_size" not in given and long_documents and large and not fine_tuning:
        config = replace(config, batch_size=min(_SEQUENCES[1], 2 * config.batch_size))
    return config


def sequences_per_step(
    config: TrainConfig, *, tokens: int, documents: int, vocab_size: int, on_gpu: bool = False
) -> int:
    """Batch size B for a training split: larger for short documents and on a GPU, smaller for a small text, and small
    enough that the logits of a large vocabulary fit the memory."""
    preferred = _TOKENS_PER_STEP if vocab_size <= SMALL_VOCABULARY else _TOKENS_PER_STEP_OF_LARGE
    if on_gpu:
        preferred = max(preferred, gpu_budget.tokens_per_step(tokens))
    logits = min(vocab_size, config.softmax_samples or vocab_size)
    tokens_per_step = min(preferred, _MAX_LOGITS // logits, tokens // _MIN_STEPS_PER_PASS)
    sequences = tokens_per_step // _tokens_per_sequence(config, tokens, documents)
    fewest, most = _SEQUENCES
    return min(most, max(fewest, sequences // 8 * 8))


def softmax_samples_for(vocab_size: int, *, match: bool) -> int:
    """How many logits a step computes; 0 for all, which a match needs."""
    return 0 if match or vocab_size <= _MOST_TOKENS_OF_FULL_SOFTMAX else _SOFTMAX_SAMPLES


def _tokens_per_sequence(config: TrainConfig, tokens: int, documents: int) -> int:
    """Approximate tokens of a sequence in a step: T, or the mean length of a document if that is shorter."""
    return min(config.seq_len, max(1, tokens // max(1, documents)))
