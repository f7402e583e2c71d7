"""What processes that train together must have in common."""

import pytest

from charlm.api.agreement import require_rows
from charlm.config import TrainConfig
from charlm.errors import ConfigError
from charlm.processes.processes import Processes


def test_more_processes_than_sequences_of_a_step_are_refused(dataset_of) -> None:
    processes = Processes()
    short, config = dataset_of("a short text. " * 20), TrainConfig(steps=1, batch_size=8, seq_len=64)
    processes.size = 9
    with pytest.raises(
        ConfigError, match=r"^9 processes can't share a step of --batch-size 8; start at most 8, or raise"
    ):
        require_rows(short, config, processes)
    processes.size = 4
    with pytest.raises(ConfigError, match=r"^4 processes .* fills only 3 sequences of --seq-len 64; .*at most 3 proc"):
        require_rows(short, config, processes)
    processes.size = 3
    require_rows(short, config, processes)
