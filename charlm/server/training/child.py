"""The one training that a server runs at a time: `charlm train` in a process of its own, which survives the pages."""

import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from signal import SIGINT
from typing import Any

from charlm.server.errors import ConflictError

_LINES = 40  # last lines of a training's messages that are kept
_SAVE_SECONDS = 60.0  # that a training may take to save when the server ends


@dataclass(kw_only=True)
class Training:
    """A training that was started from a page."""

    run: str
    process: "subprocess.Popen[str]"
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    """Its last messages."""
    selected: str | None = None
    """The settings that were auto-selected."""
    reason: str | None = None
    """Why they were."""

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def to_json(self) -> dict[str, Any]:
        """What the page shows, as JSON values."""
        lines = self.lines.copy()  # `follow` adds to them meanwhile
        problem = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
        return {
            "run": self.run,
            "running": self.running,
            "selected": self.selected,
            "reason": self.reason,
            "problem": problem,
            "message": lines[-1] if lines else None,
        }

    def follow(self) -> None:
        """Read the messages until the process ends."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            line = line.rstrip("\n")
            if line.startswith("auto-selected: "):
                self.selected = line.removeprefix("auto-selected: ")
            elif line.startswith("reason: "):
                self.reason = line.removeprefix("reason: ")
            elif line:
                self.lines.append(line)
        self.process.stderr.close()
        self.process.wait()


class Trainings:
    """Starts and stops trainings; at most one runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Training | None = None

    @property
    def last(self) -> Training | None:
        """The training that was started last."""
        return self._last

    def start(self, run: str, arguments: list[str]) -> Training:
        """Start `charlm train` with these arguments; raises `ConflictError` while another training runs."""
        with self._lock:
            if self._last is not None and self._last.running:
                raise ConflictError(f"{self._last.run} is still training; stop it first")
            process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-m", "charlm", "train", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C in the terminal stops it once, through `close`
            )
            self._last = Training(run=run, process=process)
            threading.Thread(target=self._last.follow, name="training", daemon=True).start()
            return self._last

    def stop(self, run: str) -> None:
        """Let a training save and stop; raises `ConflictError` if it isn't one of this server that runs."""
        training = self._last
        if training is None or training.run != run or not training.running:
            raise ConflictError(f"{run} is not training here; stop a run of a terminal there, with Ctrl-C")
        training.process.send_signal(SIGINT)

    def close(self) -> None:
        """Let the training save and end."""
        training = self._last
        if training is None or not training.running:
            return
        training.process.send_signal(SIGINT)
        try:
            training.process.wait(_SAVE_SECONDS)
        except subprocess.TimeoutExpired:
            training.process.kill()
            training.process.wait()
