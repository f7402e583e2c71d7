"""Runs a server on this machine until Ctrl-C."""

import contextlib
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import uvicorn

from charlm.errors import CharlmError
from charlm.server.app import make_app
from charlm.server.models import Models
from charlm.server.resources import ServerResources
from charlm.server.timeouts import TimeoutProtocol

HOST = "127.0.0.1"
_CONNECTIONS = 300  # at a time; more are refused
_SWITCH_SECONDS = 0.001  # for which a thread may keep the interpreter, so that others answer at once


@contextlib.contextmanager
def bound(port: int) -> Iterator[socket.socket]:
    """A socket on this machine's own address; port 0 is any free one. Raises `CharlmError` if the port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CharlmError(f"can't use port {port} ({reason}); choose another with --port") from None
        yield listening


class RunningServer:
    """A server on a socket; `address` opens its first page with the token."""

    def __init__(self, listening: socket.socket, resources: ServerResources) -> None:
        port = listening.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self.origin = f"http://{HOST}:{port}"
        self.address = f"{self.origin}/#token={self.token}"
        self._resources, self._socket = resources, listening
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(resources, port=port, token=self.token),
                http=TimeoutProtocol,
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=2,
            )
        )

    def run(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Answer requests until Ctrl-C or `stop`, and then end all work; `on_start` is called when it answers."""
        previous = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        watch = threading.Thread(target=self._announce, args=(on_start,), daemon=True)
        watch.start()
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass  # uvicorn raises the signal again once it has ended
        finally:
            sys.setswitchinterval(previous)
            self._resources.close()

    def stop(self) -> None:
        """Let `run` end."""
        self._server.should_exit = True

    def _announce(self, on_start: Callable[[], None]) -> None:
        while not self._server.started:
            if self._server.should_exit:
                return
            threading.Event().wait(0.01)
        on_start()


def run_server(model: str | None, port: int, on_start: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `on_start` gets the address, with the token.

    Raises `RunError` if there is no such model, `ModelFileError` if it can't be loaded, and `CharlmError` if the port
    is taken.
    """
    resources = ServerResources(models=Models(model))
    with bound(port) as listening:
        server = RunningServer(listening, resources)
        server.run(lambda: on_start(server.address))
