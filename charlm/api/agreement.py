"""What the processes that train one model must have in common before the first step."""

import time

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.data.windows import most_rows
from charlm.errors import ConfigError
from charlm.nouns import count_of
from charlm.processes.processes import Processes


def common_start(started: float | None, processes: Processes) -> float:
    """When the session of the first process started, by its `time.monotonic()`; None is now."""
    return processes.from_first(lambda: time.monotonic() if started is None else started)


def require_same_texts(dataset: Dataset, processes: Processes) -> None:
    """Raise `ProcessError` unless all processes have the same texts and vocabulary."""
    valid = dataset.held_out.get("valid")
    processes.require_same(
        {
            "text": dataset.corpus.sha256,
            "validation text": None if valid is None else valid.sha256,
            "vocabulary": dataset.tokenizer.fingerprint(),
        }
    )


def require_rows(dataset: Dataset, config: TrainConfig, processes: Processes) -> None:
    """Raise `ConfigError` if there are more processes than sequences in a step."""
    if processes.size == 1:
        return
    if processes.size > config.batch_size:
        raise ConfigError(
            f"{processes.size} processes can't share a step of --batch-size {config.batch_size}; start at "
            f"most {config.batch_size}, or raise --batch-size"
        )
    rows = most_rows(dataset.train, batch_size=config.batch_size, seq_len=config.seq_len)
    if processes.size > rows:
        raise ConfigError(
            f"{processes.size} processes can't share a step, since {dataset.corpus.name} fills only "
            f"{count_of(rows, 'sequence')} of --seq-len {config.seq_len}; start at most {count_of(rows, 'process')}"
        )
