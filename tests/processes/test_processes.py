"""What processes tell each other, with threads in the place of processes."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from charlm.data.windows import scoring
from charlm.errors import ConfigError, ProcessError
from charlm.evaluation.nats import require_groups
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import Evaluation, evaluate
from charlm.evaluation.spans.reading import parts_of_strings
from charlm.evaluation.spans.scores import SpanKind, SpanScore, score_spans
from charlm.processes.environment import in_environment, number_in_environment, rank_in_environment
from charlm.processes.launch import exit_status
from charlm.processes.processes import Processes, gather_rows
from charlm.training.optimizers import orthogonal, orthogonal_in_shares


class Threads(Processes):
    """One of several threads that meet at a barrier."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, board: dict[int, Any]) -> None:
        super().__init__()
        self.rank, self.size, self._barrier, self._board = rank, size, barrier, board

    def _all(self, value: Any) -> list[Any]:
        self._board[self.rank] = value
        self._barrier.wait(60)
        values = [self._board[rank] for rank in range(self.size)]
        self._barrier.wait(60)
        return values

    def total(self, values: Any = ()) -> Any:
        return np.sum(self._all(np.asarray(values, dtype=np.float64)), axis=0)

    def sum_in_place(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.copy_(torch.stack(self._all(tensor.clone())).sum(0))

    def concatenate(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.cat(self._all(tensor.clone()))

    def gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        parts = self._all(tensor.clone())
        return parts if self.is_first else []


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Call a function in several threads, each with its `Processes`, and give all results."""

    def together(size: int, function: Callable[[Processes], Any]) -> list[Any]:
        barrier, board, results = threading.Barrier(size), dict[int, Any](), dict[int, Any]()

        def run(rank: int) -> None:
            results[rank] = function(Threads(rank, size, barrier, board))

        threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return [results[rank] for rank in range(size)]

    return together


@pytest.mark.parametrize("rows", [7, 2, 1])
def test_rows_are_gathered_in_the_order_of_the_batch(together, rows: int) -> None:
    batch = torch.arange(2 * rows).view(rows, 2)
    first, *others = together(3, lambda processes: gather_rows(processes, batch[processes.rows]))
    assert torch.equal(first, batch) and others == [None, None]


@pytest.mark.parametrize("shape", [(20, 5), (5, 20), (6, 6), (7, 3)])
def test_a_matrix_is_orthogonalised_in_shares(together, one_thread, shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    whole = orthogonal(matrix, torch.float32)
    for share in together(3, lambda processes: orthogonal_in_shares(matrix, torch.float32, processes)):
        torch.testing.assert_close(share, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("cache", [None, NeuralCacheConfig(size=20)])
@pytest.mark.parametrize("size", [2, 3])
def test_an_evaluation_in_shares_is_that_of_one_process(
    together, dataset_of, network_for, sentences: str, monkeypatch, one_thread, size: int, cache
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_DOCUMENTS", 20)
    dataset = dataset_of(sentences, documents="line")
    model = network_for(dataset).eval()

    def scored(processes: Processes) -> Evaluation:
        return evaluate(model, dataset.tokenizer, dataset.train, cache=cache, processes=processes)

    whole = scored(Processes())
    assert together(size, scored) == [whole] * size


@pytest.mark.parametrize("by", ["document", "word"])
@pytest.mark.parametrize("alone", [False, True])
def test_spans_in_shares_have_the_scores_of_one_process(
    together, dataset_of, network_for, sentences: str, monkeypatch, one_thread, by: SpanKind, alone: bool
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_DOCUMENTS", 8)
    monkeypatch.setattr(scoring, "BLOCK_TOKENS", 500)
    dataset = dataset_of(sentences, documents="line")
    model = network_for(dataset).eval()
    texts = sentences.splitlines()
    long = [*texts[:50], "the cat " * 100, *texts[50:90], texts[90] * 9, *texts[91:]]  # of two blocks; of one

    def scored(processes: Processes) -> list[SpanScore]:
        parts = parts_of_strings(long)
        return [*score_spans(model, dataset.tokenizer, parts, by, alone=alone, processes=processes)]

    whole = scored(Processes())
    assert together(2, scored) == [whole] * 2


def test_more_processes_than_groups_of_documents() -> None:
    processes = Processes()
    processes.size = 3
    with pytest.raises(ConfigError, match=r"3 processes can't share a single document, .*--documents"):
        require_groups(1, 1, processes)
    with pytest.raises(ConfigError, match=r"3 processes can't share 100 documents, .* 2 groups .*at most 2 processes"):
        require_groups(2, 100, processes)
    with pytest.raises(ConfigError, match=r"start at most 1 process$"):
        require_groups(1, 64, processes)
    require_groups(3, 200, processes)


def test_the_environment_of_a_launcher(monkeypatch) -> None:
    assert not in_environment() and rank_in_environment() == 0
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(name, value)
    assert not in_environment() and rank_in_environment() == 0  # a job that sets only some of them
    monkeypatch.setenv("MASTER_PORT", "1")
    assert in_environment() and rank_in_environment() == 3
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not in_environment()
    assert number_in_environment("WORLD_SIZE", 5) == 1 and number_in_environment("NONE", 5) == 5


@pytest.mark.parametrize(
    ("codes", "status"), [({0: 1, 1: -signal.SIGTERM}, 1), ({0: 141, 1: 1}, 141), ({0: -signal.SIGTERM, 1: 1}, 1)]
)
def test_the_status_is_that_of_the_processes_that_failed_first(codes: dict[int, int], status: int) -> None:
    assert exit_status(codes, 2) == status


def test_a_process_that_a_signal_has_ended_is_named() -> None:
    with pytest.raises(ProcessError, match="process 1 of 2 was ended by SIGKILL, as happens when"):
        exit_status({0: -signal.SIGTERM, 1: -signal.SIGKILL}, 2)
    with pytest.raises(ProcessError, match="process 0 of 2 was ended by SIGTERM"):
        exit_status({0: -signal.SIGTERM}, 2)


def test_a_single_process_needs_no_connection() -> None:
    processes = Processes()
    assert (processes.is_first, processes.rows, processes.stopping) == (True, slice(0, None, 1), False)
    processes.request_stop()
    assert processes.stopping and processes.from_first(lambda: [1]) == [1]
    assert processes.total([1.5]).tolist() == [1.5] and not dist.is_initialized()
