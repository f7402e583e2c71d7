"""A run that dies at any instant can be continued, and ends as one that was never interrupted, bit for bit.

The instants are enumerated: before every operation on a file of the run folder, in the middle of every write, and after
every step, validation and calibration. At each of them a process can be killed (its files stay as they are), an
exception can pass (its handlers still write), and the disk can be full. `make test` takes a sample of them;
CHARLM_ALL_INSTANTS=1 takes all.

Equal are the weights and all values of the model file and the resume file, the records and the samples; the seconds
that it took, and what depends on them, are not compared.

The file is also a program, whose processes are killed by SIGKILL: see `run_killed_processes`.
"""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from charlm import api
from charlm.config import TokenizerConfig
from charlm.errors import CharlmError, RunError
from charlm.storage.checkpoint import load
from charlm.storage.resume_file import load_resume_file
from charlm.training import run_log, validation

ALL = os.environ.get("CHARLM_ALL_INSTANTS") == "1"
SHAPE = {"hidden_size": 6, "embedding_size": 4, "dropout": 0.2, "ngram_order": 0}
LENGTH = {"steps": 12, "validations": 3, "batch_size": 4, "seq_len": 16, "threads": 1}
RUN = Path("runs/broken")
OPERATIONS = {"open", "fdopen", "write", "half written", "fsync", "chmod", "replace", "truncate", "unlink", "mkdir"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of run."""

    corpus: dict[str, Any] = field(default_factory=dict)
    tokenizer: TokenizerConfig | None = None
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    saves_each_step: bool = True
    """Whether it is saved after every step, or only at the beginning and at the end."""
    replaces: bool = False
    """Whether it replaces an older run, from whose model it begins."""


KINDS = {
    "characters": Kind(),
    "subwords": Kind(
        tokenizer=TokenizerConfig(kind="subword", vocab_size=320),
        model={"ngram_order": 3, "context_vectors": 20},
        training={"averaging": 0.3, "optimizer": "muon"},
    ),
    "lines": Kind(corpus={"documents": "line"}, training={"averaging": 0.2}, saves_each_step=False),
    "backward": Kind(corpus={"direction": "backward"}, model={"num_layers": 2, "ngram_order": 3}, replaces=True),
}


def text() -> str:
    """A text of 160 lines."""
    words = ("cat", "dog", "owl", "elk")
    return "".join(f"{word} and the {word}, a {number} of {word}s.\n" for number in range(40) for word in words)


class Killed(BaseException):
    """The process is killed, or something happens that nothing in charlm expects."""


def begin(kind: Kind, source: Path, on_instant: Callable[[str], None] = lambda name: None) -> None:
    """Give the command that begins the run."""
    start = {"init_from": RUN} if kind.replaces else {"tokenizer": kind.tokenizer}
    api.train_run(
        source,
        run=RUN,
        corpus={"splits": (50, 40, 10)} | kind.corpus,
        model={} if kind.replaces else SHAPE | kind.model,
        training=LENGTH | kind.training,
        auto=False,
        overwrite=kind.replaces,
        callbacks=callbacks(on_instant),
        **start,
    )


def go_on(kind: Kind, source: Path, on_instant: Callable[[str], None] = lambda name: None) -> None:
    """Give the command that continues the run, or begin it if there is nothing to continue."""
    try:
        api.resume_run(RUN, callbacks=callbacks(on_instant))
    except RunError as error:
        if "no run in" in str(error) or (kind.replaces and load(RUN / "model.safetensors").training.step == 2):
            begin(kind, source, on_instant)
        elif "is finished (12 of 12 steps); to train longer pass a larger --steps" not in str(error):
            raise


def callbacks(on_instant: Callable[[str], None]) -> api.Callbacks:
    """Callbacks for which every step and every record is an instant."""
    return api.Callbacks(
        on_event=lambda record: on_instant(type(record).__name__),
        should_stop=lambda: bool(on_instant("step")),
    )


def begin_older(kind: Kind, source: Path) -> None:
    """The run that is replaced, if the kind has one; it has another text."""
    if kind.replaces:
        other = source.with_name("older.txt")
        other.write_text(text().replace("cat", "tac"))
        corpus, training = {"splits": (50, 40, 10)} | kind.corpus, LENGTH | {"steps": 2}
        api.train_run(other, run=RUN, corpus=corpus, model=SHAPE | kind.model, training=training, auto=False)


@contextlib.contextmanager
def watched(on_instant: Callable[[str], None]) -> Iterator[None]:
    """Call `on_instant` before every change of a file in the run folder and in the middle of every write."""

    def inside(place: Any) -> bool:
        """Whether a path or the file behind a descriptor is in the run folder, or the folder itself."""
        if isinstance(place, int):
            if not RUN.is_dir():
                return False
            return os.fstat(place).st_ino in {path.lstat().st_ino for path in RUN.iterdir()}
        path = Path(place).absolute()
        return path == RUN.absolute() or path.parent == RUN.absolute()

    class Watched:
        """A file each of whose writes has an instant in the middle."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, content: bytes) -> int:
            half = len(content) // 2
            on_instant("write")
            self._file.write(content[:half])
            self._file.flush()
            on_instant("half written")
            self._file.write(content[half:])
            return len(content)

        def truncate(self, size: int) -> int:
            on_instant("truncate")
            return int(self._file.truncate(size))

        def __enter__(self) -> "Watched":
            return self

        def __exit__(self, *error: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    plain = {name: getattr(os, name) for name in ("open", "fdopen", "fsync", "chmod", "replace", "unlink", "mkdir")}

    def watch(name: str) -> Callable[..., Any]:
        def operation(place: Any, *arguments: Any, **options: Any) -> Any:
            changes = name != "open" or arguments[0] & os.O_CREAT
            if changes and inside(place):
                on_instant(name)
            result = plain[name](place, *arguments, **options)
            return Watched(result) if name == "fdopen" and inside(place) else result

        return operation

    best_temperature = validation.best_temperature

    def calibrated(*arguments: Any) -> float:
        on_instant("before calibration")
        temperature = best_temperature(*arguments)
        on_instant("after calibration")
        return temperature

    with pytest.MonkeyPatch.context() as patch:
        for name in plain:
            patch.setattr(os, name, watch(name))
        patch.setattr(validation, "best_temperature", calibrated)
        yield


@contextlib.contextmanager
def saving(kind: Kind) -> Iterator[None]:
    """Save after every step or seldom, whatever the time, and write short samples."""
    spacing = 0.0 if kind.saves_each_step else 1e9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_log, "_SAVE_EVERY", spacing)
        patch.setattr(run_log, "_SAVE_SPACING", spacing)
        patch.setattr(run_log, "_SAMPLE", replace(run_log._SAMPLE, length=20))
        yield


def content(folder: Path) -> dict[str, bytes] | None:
    """The files of a run folder, but for the lock."""
    if not folder.is_dir():
        return None
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def outcome(folder: Path) -> dict[str, Any]:
    """All that has to be equal: the files by name, without the seconds that it took and what depends on them."""
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        "config.json",
        "metrics.jsonl",
        "samples.txt",
        "model.safetensors",
        "resume.safetensors",
    }
    equal: dict[str, Any] = {name: (folder / name).read_text() for name in ("config.json", "samples.txt")}
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    equal["metrics.jsonl"] = [record | {"seconds": None} for record in records]
    for name in ("model.safetensors", "resume.safetensors"):
        checkpoint = load(folder / name)
        equal[name] = {
            "weights": {key: value.numpy().tobytes() for key, value in checkpoint.model.state_dict().items()},
            "tokenizer": checkpoint.tokenizer.to_json(),
            "corpus": checkpoint.corpus,
            "training": replace(checkpoint.training, seconds=0.0),
        }
    resume = load_resume_file(folder / "resume.safetensors")[1]
    recent = [record | {"seconds": None} for record in resume.values["recent"]]
    equal["values"] = resume.values | {"seconds": None, "recent": recent, "lengths": resume.values["lengths"][1]}
    equal["tensors"] = {key: value.numpy().tobytes() for key, value in resume.tensors.items()}
    return equal


def assert_as_unbroken(folder: Path, unbroken: dict[str, Any], instant: object) -> None:
    ended = outcome(folder)
    for name in unbroken:
        assert ended[name] == unbroken[name], f"{name} differs after {instant}"


def sample(instants: list[Any], few: int) -> list[Any]:
    """All instants, or a few of them: the first, the last and some in between."""
    if ALL or len(instants) <= few:
        return instants
    between = random.Random(len(instants)).sample(instants[1:-1], few - 2)
    return [instants[0], *between, instants[-1]]


@dataclass(kw_only=True)
class Unbroken:
    """A run that nothing interrupts."""

    kind: Kind
    source: Path
    before: dict[str, bytes] | None
    """The folder when it begins."""
    states: list[tuple[str, dict[str, bytes] | None]]
    """The distinct states of the folder, each with the instant at which it was seen first."""
    instants: list[str]
    outcome: dict[str, Any]

    def set_folder(self, files: dict[str, bytes] | None) -> None:
        shutil.rmtree(RUN.parent, ignore_errors=True)
        if files is not None:
            RUN.mkdir(parents=True)
            for name, data in files.items():
                (RUN / name).write_bytes(data)


@pytest.fixture(params=KINDS)
def unbroken(request: pytest.FixtureRequest, write, one_thread: None) -> Iterator[Unbroken]:
    kind, source = KINDS[request.param], write(text())
    states: list[tuple[str, dict[str, bytes] | None]] = []
    instants: list[str] = []

    def look(name: str) -> None:
        instants.append(name)
        state = content(RUN)
        if not states or state != states[-1][1]:
            states.append((f"instant {len(instants)}, {name}", state))

    with saving(kind):
        begin_older(kind, source)
        before = content(RUN)
        with watched(look):
            begin(kind, source, look)
        yield Unbroken(
            kind=kind,
            source=source,
            before=before,
            states=states,
            instants=instants,
            outcome=outcome(RUN),
        )


def test_a_run_killed_at_any_instant_ends_as_one_that_was_not(unbroken: Unbroken) -> None:
    missing = OPERATIONS - {*unbroken.instants}
    assert missing <= ({"mkdir"} if unbroken.kind.replaces else {"unlink"})
    assert unbroken.outcome["model.safetensors"]["training"]["temperature"] is not None
    for instant, files in sample(unbroken.states, 8):
        unbroken.set_folder(files)
        go_on(unbroken.kind, unbroken.source)
        assert_as_unbroken(RUN, unbroken.outcome, instant)


@pytest.mark.parametrize("fault", ["an exception", "a full disk"])
def test_a_run_that_fails_at_any_instant_ends_as_one_that_did_not(unbroken: Unbroken, fault: str) -> None:
    """The handlers of the failure still run, and what they write does no harm."""

    def fail_at(number: int) -> Callable[[str], None]:
        left = iter(range(number))

        def fail(name: str) -> None:
            if next(left, None) is None and not failed:
                failed.append(name)
                raise Killed if fault == "an exception" else OSError(errno.ENOSPC, "No space left on device")

        return fail

    numbers = [number for number, name in enumerate(unbroken.instants) if fault == "an exception" or name in OPERATIONS]
    for number in sample(numbers, 3):
        unbroken.set_folder(unbroken.before)
        failed: list[str] = []
        fail = fail_at(number)
        with watched(fail), contextlib.suppress(Killed, CharlmError):
            begin(unbroken.kind, unbroken.source, fail)
        assert failed == [unbroken.instants[number]]
        go_on(unbroken.kind, unbroken.source)
        assert_as_unbroken(RUN, unbroken.outcome, f"instant {number + 1}, {failed[0]}")


def test_a_process_that_is_killed_twice_ends_as_one_that_was_not(write) -> None:
    """By SIGKILL: first at an instant of the enumeration, then at a moment by the clock."""
    rounds = 13 if ALL else 2
    command = [sys.executable, __file__, str(write(text())), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1.5 * rounds * len(KINDS), "too many processes ended before they were killed"
    for name in KINDS:
        unbroken = outcome(Path("ended", name, "unbroken"))
        for number in range(rounds):
            assert_as_unbroken(Path("ended", name, str(number)), unbroken, f"the kills of {name} {number}")


def run_killed_processes(source: str, rounds: str) -> None:
    """Begin runs of each kind, kill them, continue them, kill that, and continue them to their end; print the kills.

    The runs are moved to ended/KIND/NUMBER, those that are not killed to ended/KIND/unbroken. The processes are forked,
    since importing torch takes longer than all of them.
    """
    chance, kills, counted = random.Random(1), 0, Path("instants")
    torch.use_deterministic_algorithms(True)  # as in the tests
    torch.set_num_threads(1)

    def kill_at(number: int) -> Callable[[str], None]:
        left = iter(range(number))

        def kill(name: str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        return kill

    def count(name: str) -> None:
        with counted.open("a") as file:
            file.write(".")

    def process(
        kind: Kind,
        command: Callable[..., None],
        on_instant: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> int:
        """Run a command in a process, and kill it after some seconds; 1 if it was killed by that or at an instant."""
        child = os.fork()
        if child == 0:
            try:
                with saving(kind), watched(on_instant) if on_instant else contextlib.nullcontext():
                    command(kind, Path(source), *([on_instant] if on_instant else []))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, -signal.SIGKILL), code
        return int(code != 0)

    for name, kind in KINDS.items():
        Path("ended", name).mkdir(parents=True)
        counted.write_text("")
        process(kind, begin_older)
        started = time.monotonic()
        process(kind, begin, count)
        seconds = time.monotonic() - started
        RUN.rename(f"ended/{name}/unbroken")
        instants = len(counted.read_text())
        for number in range(int(rounds)):
            process(kind, begin_older)
            instant = (number * instants + chance.randrange(instants)) // int(rounds)
            kills += process(kind, begin, kill_at(instant))
            kills += process(kind, go_on, seconds=chance.uniform(0, 0.8 * seconds))
            assert process(kind, go_on) == 0
            RUN.rename(f"ended/{name}/{number}")
    print(kills)


if __name__ == "__main__":
    run_killed_processes(*sys.argv[1:])
