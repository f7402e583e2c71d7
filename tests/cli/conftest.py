"""Commands as a user types them."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from typer.testing import Result


@pytest.fixture(scope="session")
def failed(charlm: Callable[..., Result]) -> Callable[..., str]:
    """Run a command that must fail, and give the one line that it prints."""

    def failed(*arguments: object, status: int = 1) -> str:
        result = charlm(*arguments, status=status)
        assert result.stdout == ""
        lines = [line for line in result.stderr.splitlines() if not line.startswith(("note:", "using"))]
        assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
        return lines[0]

    return failed


@pytest.fixture(scope="session")
def brief() -> list[str]:
    """Options of `train` for a run that takes a moment."""
    return ["--steps", "30", "--hidden", "16", "--batch-size", "4", "--seq-len", "16", "--validations", "3"]


@pytest.fixture
def run(text: Path, charlm: Callable[..., Result], brief: list[str], keep_run: Callable[..., Path]) -> str:
    """A small trained run, called first."""
    keep_run("first", "runs/first", lambda: charlm("train", text, "--run", "first", *brief))
    return "runs/first"


_SERVER = """
import json, os, signal, sys
import charlm.api, charlm.cli.app, torch
from charlm.__main__ import main
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # so that what the optimisers import is here, too
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.chdir(order["folder"])
        os.environ.update(order["environment"])
        for stream, path in enumerate((os.devnull, order["stdout"], order["stderr"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666), stream)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if order["nohup"] else signal.SIG_DFL)
        sys.argv = ["charlm", *order["arguments"]]
        main()
    print(child, flush=True)
"""


class Server:
    """A process that has imported charlm, from which others are forked: importing torch takes seconds."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **order: Any) -> int:
        """Send an order, and return the number that is the answer."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process, if it was ever begun."""
        if self._process is not None:
            self._process.communicate()


@dataclass(kw_only=True)
class Child:
    """A command in a process of its own."""

    server: Server
    pid: int
    output: Path

    @property
    def stdout(self) -> str:
        """What it has written so far."""
        return self.output.with_suffix(".out").read_text()

    @property
    def stderr(self) -> str:
        """What it has written so far."""
        return self.output.with_suffix(".err").read_text()

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait until it ends, and return its exit status; below zero that is the signal that ended it."""
        return self.server.ask(wait=self.pid)

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 60) -> None:
        """Wait until something is so that the command brings about."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.stderr
            time.sleep(0.0005)


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def start(_server: Server, tmp_path: Path) -> Callable[..., Child]:
    """Run a command of charlm in a process of its own, which can be killed."""
    numbers = itertools.count()

    def start(*arguments: object, nohup: bool = False, environment: Mapping[str, str] | None = None) -> Child:
        output = tmp_path / f"process{next(numbers)}"
        pid = _server.ask(
            arguments=[str(argument) for argument in arguments],
            folder=os.getcwd(),
            environment={name: os.environ[name] for name in ("CHARLM_CACHE", "NO_COLOR")} | dict(environment or {}),
            stdout=f"{output}.out",
            stderr=f"{output}.err",
            nohup=nohup,
        )
        return Child(server=_server, pid=pid, output=output)

    return start


_MOST_SECONDS = 120
"""After which processes that train together are killed, so that a test can't hang."""


@pytest.fixture
def start_together(start: Callable[..., Child]) -> Iterator[Callable[..., list[Child]]]:
    """Start a command of charlm in several processes as torchrun does, each with arguments of its own or all with the
    same; `restarts` is how often they were started before."""
    stores, timers = list[dist.TCPStore](), list[threading.Timer]()

    def start_together(*commands: Sequence[object], size: int = 2, restarts: int = 0) -> list[Child]:
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        stores.append(store)
        common = {
            "WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": str(restarts),
            "GLOO_SOCKET_IFNAME": {"linux": "lo", "darwin": "lo0"}.get(sys.platform, ""),
        }
        children = []
        for rank in range(size):
            command = commands[rank if len(commands) > 1 else 0]
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            children.append(start(*command, environment=common | own))
            timers.append(threading.Timer(_MOST_SECONDS, _kill, (children[-1].pid,)))
            timers[-1].start()
        return children

    yield start_together
    for timer in timers:
        timer.cancel()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
