"""Compiled code is loaded only as it was compiled, and no compiler can hold a command up, whatever it does."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.native import compiler as module

compiled = pytest.mark.skipif(module.compiler() is None, reason="no C compiler here")
posix = pytest.mark.skipif(os.name == "nt", reason="a shell script as the compiler")
SOURCE = "int answer(void) { return 42; }"


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the module remembers is as in a new process, before and after, and libraries have an own folder."""
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / "own-cache"))
    for name, function in [*vars(module).items()]:
        if hasattr(function, "cache_clear"):
            monkeypatch.setattr(module, name, module.cache(function.__wrapped__))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a shell script the compiler."""

    def fake(script: str, arguments: str = "") -> Path:
        path = tmp_path / "my compiler"
        path.write_bytes(b"#!/bin/sh\n" + script.encode("latin-1"))
        path.chmod(0o755)
        monkeypatch.setenv("CC", f"'{path}' {arguments}".strip())
        return path

    return fake


def load() -> int | None:
    """The answer of the library, loaded as by a new process; None if there is none."""
    module.shared_library.cache_clear()
    code = module.shared_library(SOURCE)
    return None if code is None else code.answer()


def libraries(folder: Path) -> list[Path]:
    return [*(folder / "own-cache" / "native").glob("*.so")]


@compiled
def test_a_library_is_kept_with_its_size_and_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load() == 42
    (library,) = libraries(tmp_path)
    facts = json.loads(library.with_suffix(".json").read_text())
    assert facts["size"] == library.stat().st_size and len(facts["sha256"]) == 64
    assert not library.stat().st_mode & 0o022 and not library.parent.stat().st_mode & 0o077
    monkeypatch.setattr(module.subprocess, "Popen", lambda *_, **__: pytest.fail("it was compiled again"))
    assert load() == 42


@compiled
@pytest.mark.parametrize("damage", ["cut", "zeros", "empty", "flip", "facts", "no facts", "link", "writable"])
def test_a_library_that_is_not_as_it_was_compiled_is_made_again(tmp_path: Path, damage: str) -> None:
    assert load() == 42
    (library,) = libraries(tmp_path)
    content, facts = library.read_bytes(), library.with_suffix(".json")
    if damage == "link":
        elsewhere = tmp_path / "elsewhere.so"
        library.rename(elsewhere)
        library.symlink_to(elsewhere)
    elif damage == "writable":
        library.chmod(0o777)
    elif damage == "facts":
        facts.write_text("{")
    elif damage == "no facts":
        facts.unlink()
    else:
        half = len(content) // 2
        flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        damaged = {"cut": content[:half], "zeros": bytes(len(content)), "empty": b"", "flip": flipped}[damage]
        library.unlink()  # this process has loaded it
        library.write_bytes(damaged)
    assert load() == 42
    assert library.read_bytes() == content and not library.is_symlink() and not library.stat().st_mode & 0o022
    assert json.loads(facts.read_text())["size"] == len(content)


@posix
def test_a_compiler_that_hangs_is_ended_with_its_children(fake, tmp_path: Path, monkeypatch, caplog) -> None:
    fake(f"sleep 1000 & echo $! > '{tmp_path}/child'; sleep 1000")
    monkeypatch.setattr(module, "COMPILE_SECONDS", 0.5)
    started = time.monotonic()
    assert [module.shared_library(f"int f{index};") for index in range(5)] == [None] * 5
    assert time.monotonic() - started < 5
    assert len(caplog.messages) == 1 and "was stopped after 0 seconds" in caplog.text
    child = int((tmp_path / "child").read_text())
    assert not runs(child)


def runs(process: int) -> bool:
    """Whether a process runs half a second from now; one that has ended may still be waited for."""
    time.sleep(0.5)
    try:
        return "(sleep) Z" not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@posix
def test_an_interrupted_compilation_is_ended(fake, tmp_path: Path) -> None:
    fake(f"echo $$ > '{tmp_path}/child'; sleep 1000")
    code = (
        "import signal; from charlm.native.compiler import shared_library\n"
        "signal.setitimer(signal.ITIMER_REAL, 1.0)\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "try: shared_library('')\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "interrupted\n"
    assert not runs(int((tmp_path / "child").read_text()))


@posix
def test_messages_in_any_encoding_are_one_line(fake, caplog) -> None:
    fake("printf 'na\xefve\\nerror' >&2; exit 1")
    with caplog.at_level("INFO"):
        assert load() is None
    assert [message.splitlines() for message in caplog.messages] == [[message] for message in caplog.messages]
    assert "na\ufffdve error" in caplog.text


@posix
@compiled
def test_a_compiler_may_have_arguments(fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.compiler.__wrapped__()
    path = fake(f'echo "$@" >> \'{tmp_path}/arguments\'; [ "$1" = run ] && shift && exec {real} "$@"', "run -O1")
    assert load() == 42
    assert (tmp_path / "arguments").read_text().startswith("run -O1 -O3 ")
    assert module.compiler() == f"'{path}' run -O1"


@pytest.mark.parametrize("command", ["no-such-compiler -O1", "'", " "])
def test_a_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, caplog, command: str) -> None:
    monkeypatch.setenv("CC", command)
    assert load() is None
    assert caplog.messages == [f"CC is {command!r}, which is not a program here, so charlm runs without compiled code"]


@posix
@compiled
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, caplog, mode: int) -> None:
    folder = tmp_path / "own-cache" / "native"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    assert load() == 42 and load() == 42
    assert [*folder.iterdir()] == []
    assert len(caplog.messages) == 1 and f"run `chmod go-w {folder}`" in caplog.text


@posix
@compiled
def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    folder = tmp_path / "own-cache" / "native"
    folder.mkdir(parents=True)  # by this user
    monkeypatch.setattr(module.os, "geteuid", lambda: os.getuid() + 1)
    assert load() == 42
    assert [*folder.iterdir()] == []
    assert f"other users can write to {folder}" in caplog.text


@posix
@compiled
def test_the_folder_of_a_process_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, temporary = tmp_path / "own-cache" / "native", tmp_path / "temporary"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    code = (
        "import os; from charlm.native import compiler\n"
        f"assert compiler.shared_library({SOURCE!r}).answer() == 42\n"
        "if os.fork() == 0: raise SystemExit\n"
        f"os.wait(); print(*os.listdir({str(temporary)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (other,) = done.stdout.split()
    assert other.startswith("charlm-native-") and [*temporary.iterdir()] == []
    assert done.stderr.count("other users can write to") == 1


def test_a_folder_that_cannot_be_made_means_no_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / "file"))
    assert load() is None


@posix
@compiled
def test_only_compilations_that_fail_use_up_the_time(fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seems to take 7 of the 20 seconds. A failed one is tried again without threads."""
    real, broken, attempts = module.compiler(), tmp_path / "broken", tmp_path / "attempts"
    module.compiler.cache_clear()
    fake(f"echo >> '{attempts}'; [ -e '{broken}' ] && exit 1; exec {real} \"$@\"")
    seconds = itertools.count(0, 7)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(seconds)))
    assert all(module.shared_library(f"int f{index};") is not None for index in range(4))
    broken.touch()
    assert all(module.shared_library(f"int g{index};") is None for index in range(4))
    assert attempts.stat().st_size == 4 + 3
