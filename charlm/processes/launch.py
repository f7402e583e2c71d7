"""Starting several processes on this machine, by torch's elastic agent."""

import contextlib
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence

from charlm.errors import ProcessError
from charlm.processes.environment import LAUNCHER

_SECONDS_TO_SAVE = 50
"""How long processes that were told to stop may take before they are killed."""
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def launch(arguments: Sequence[str], *, processes: int, threads: int | None) -> int:
    """Run `charlm` with these arguments in several processes on this machine, and return their exit status.

    Args:
        arguments: what follows `charlm` on the command line.
        processes: how many processes to start.
        threads: CPU threads of each; None divides those of torch here by the number of processes.

    Raises `ProcessError` if a process was ended by a signal, or none can be started. The others are then ended, too.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    quiet = logging.getLogger("torch.distributed.elastic")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any free port
        local_addr="localhost",
        max_restarts=0,
        shutdown_timeout=_SECONDS_TO_SAVE,
    )
    with _environment(_variables(processes, threads)):
        try:
            elastic_launch(config, sys.executable)("-m", "charlm", *arguments)
        except SignalException:  # Ctrl-C or SIGTERM, which all processes have received
            return 130
        except ChildFailedError as error:
            return exit_status({rank: failure.exitcode for rank, failure in error.failures.items()}, processes)
        except (RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ProcessError(f"can't start {processes} processes: {reason}; use a single one") from None
    return 0


def exit_status(exit_codes: Mapping[int, int], processes: int) -> int:
    """The exit status for those of failed processes; raises `ProcessError` if one was ended by a signal.

    Once one has failed, torch's agent ends the others by SIGTERM.
    """
    causes = {rank: code for rank, code in exit_codes.items() if code != -signal.SIGTERM} or exit_codes
    for rank, code in causes.items():
        if code < 0:
            name = signal.Signals(-code).name
            reason = ", as happens when there is not enough memory" if -code == signal.SIGKILL else ""
            raise ProcessError(f"process {rank} of {processes} was ended by {name}{reason}")
    return max(causes.values())


def _variables(processes: int, threads: int | None) -> dict[str, str]:
    """The environment variables of the processes, without those that the user has set."""
    import torch

    variables = {
        "OMP_NUM_THREADS": str(threads or max(1, torch.get_num_threads() // processes)),
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    if sys.platform in _LOOPBACK:
        variables["GLOO_SOCKET_IFNAME"] = _LOOPBACK[sys.platform]
    unset = {name: value for name, value in variables.items() if name not in os.environ}
    return unset | {LAUNCHER: str(os.getpid())}


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the length of the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
