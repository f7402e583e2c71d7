"""A server on this machine, in a thread of the tests' process."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra charlm-rnn[web] is not installed")
pytest.importorskip("uvicorn", reason="the extra charlm-rnn[web] is not installed")

from browser import new_page

from charlm.server.launch import RunningServer, bound
from charlm.server.models import Models
from charlm.server.resources import ServerResources


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server that answers."""

    running: RunningServer
    resources: ServerResources

    @property
    def origin(self) -> str:
        """http://127.0.0.1:PORT."""
        return self.running.origin

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.origin.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, *, token: bool = True, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.origin + path, data=data, method=method)
        if data is not None and not isinstance(body, bytes):
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("X-Charlm-Token", self.running.token)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON value of an answer that must be good."""
        status, answer = self.ask(method, path, body)
        assert status == 200, answer
        return json.loads(answer)

    def events(self, path: str, body: Any) -> list[Any]:
        """The events of a stream, which must be complete."""
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        parts = [part.removeprefix("data: ") for part in answer.decode().split("\n\n")]
        assert parts[-2:] == ["[DONE]", ""]
        return [json.loads(part) for part in parts[:-2]]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start a server for a model; all of them end with the test."""
    ends: list[Callable[[], None]] = []

    def serve(model: str | None = None) -> Served:
        resources, ready = ServerResources(models=Models(model)), threading.Event()
        sockets = bound(0)
        running = RunningServer(sockets.__enter__(), resources)
        thread = threading.Thread(target=running.run, args=(ready.set,), daemon=True)
        thread.start()

        def end() -> None:
            running.stop()
            thread.join(30)
            sockets.__exit__(None, None, None)
            assert not thread.is_alive()

        ends.append(end)
        assert ready.wait(30)
        return Served(running=running, resources=resources)

    yield serve
    for end in ends:
        end()


@pytest.fixture
def served(trained_run: Callable[..., Path], one_thread: None, serve: Callable[..., Served]) -> Served:
    """A server with the run "a", a small network of `sentences`."""
    trained_run("runs/a")
    return serve("a")


@pytest.fixture
def pairs(
    trained_run: Callable[..., Path], table_of_pairs: Path, one_thread: None, serve: Callable[..., Served]
) -> Served:
    """A server with the run "pairs", a small network that writes words in capitals."""
    columns = {"source_column": "word", "target_column": "written"}
    trained_run("runs/pairs", source=table_of_pairs, corpus=columns)
    return serve("pairs")


@pytest.fixture
def stars(
    trained_run: Callable[..., Path], labelled_reviews: Path, one_thread: None, serve: Callable[..., Served]
) -> Served:
    """A server with the run "stars", a small network that has learnt two labels."""
    table = {"text_column": "text", "label_column": ("stars", "author")}
    trained_run("runs/stars", source=labelled_reviews, corpus=table)
    return serve("stars")


@dataclass(kw_only=True)
class Tab:
    """A page of the browser, with what went wrong in it."""

    page: Any
    origin: str
    token: str
    served: Served | None = None
    problems: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, token: bool = True) -> Any:
        """Open a page of the server, and wait until it is ready."""
        self.page.goto(f"{self.origin}{path}" + (f"#token={self.token}" if token else ""))
        self.page.wait_for_selector("main:not([aria-busy])")
        return self.page


@pytest.fixture
def tab(browser: Any, served: Served) -> Iterator[Tab]:
    """An empty tab; the test fails if a page logs an error or asks another machine for anything."""
    with new_page(browser, served.origin) as (page, problems):
        yield Tab(page=page, origin=served.origin, token=served.running.token, served=served, problems=problems)
    assert problems == []
