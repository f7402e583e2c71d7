"""`charlm serve`: what it says when it can't begin; tests/server/ has the server."""

import builtins
import os
import socket
import sys
from pathlib import Path

import pytest

import charlm
from charlm.cli.commands.serve import serve


def test_without_the_extra_it_says_what_to_install(failed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("uvicorn", "starlette")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("charlm.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(charlm, "server", raising=False)  # which would stay the package that is imported here
    real = builtins.__import__

    def without(name: str, *arguments: object) -> object:
        if name.partition(".")[0] in ("uvicorn", "starlette"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'charlm-rnn[web]'" in failed("serve")


def test_nobody_need_read_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = pytest.importorskip("charlm.server.launch")
    monkeypatch.setattr(launch, "run_server", lambda model, port, announce: announce("http://127.0.0.1"))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        serve()
        assert os.fstat(writing).st_rdev == os.stat(os.devnull).st_rdev


def test_mistakes_are_named(failed, run: str) -> None:
    pytest.importorskip("uvicorn")
    assert "no model 'nothing'" in failed("serve", "nothing")
    Path("letter.txt").write_text("cat and the cat")
    assert "letter.txt is not a model file" in failed("serve", "letter.txt", "--port", 0)
    assert "--port is 70000" in failed("serve", "--port", 70_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "choose another with --port" in failed("serve", "--port", taken.getsockname()[1])
