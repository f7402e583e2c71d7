"""The trainings that a server starts, one at a time: each is a process, which survives the pages that show it."""

import json
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from signal import SIGINT
from typing import IO, Any

from charlm.server.errors import ConflictError
from charlm.server.training.process import TrainingRequest

_NOTES = 20  # last warnings of a training that are kept
_SAVE_SECONDS = 60.0  # that a training may take to save when the server ends
_EXPECTED = (0, 130, -SIGINT)  # exit statuses; the last is that of a process that was stopped while it started


@dataclass(kw_only=True)
class Training:
    """A training that was started from a page."""

    run: str
    process: "subprocess.Popen[str]"
    messages: IO[bytes]
    """The file of its stderr, where Python writes why it failed."""
    settings: dict[str, Any] | None = None
    """The settings that were auto-selected."""
    why: str | None = None
    """Why they were."""
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=_NOTES))
    """Its last warnings."""
    error: str | None = None
    """The mistake that ended it."""
    failure: str | None = None
    """The last line of its stderr, once it has ended."""
    stopping: bool = False
    """Whether it was asked to save and stop."""

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    @property
    def problem(self) -> str | None:
        """What ended the training, if it was neither its length nor a request to stop."""
        status = self.process.poll()
        if self.error is not None or status is None or status in _EXPECTED:
            return self.error
        reason = self.failure or f"its process ended with status {status}"
        return f"the training of {self.run} failed ({reason}); press Continue to resume it from its last save"

    def to_json(self) -> dict[str, Any]:
        """What the page shows, as JSON values."""
        return {
            "run": self.run,
            "running": self.running,
            "stopping": self.stopping,
            "settings": self.settings,
            "why": self.why,
            "notes": list(self.notes.copy()),  # `follow` adds to them meanwhile
            "problem": self.problem,
        }

    def ask_to_stop(self) -> None:
        """Let it save and stop. It is asked once: a second SIGINT would stop it before it has saved."""
        if not self.stopping:
            self.stopping = True
            self.process.send_signal(SIGINT)

    def follow(self) -> None:
        """Read the events until the process ends."""
        assert self.process.stdout is not None
        with self.process.stdout, self.messages:
            for line in self.process.stdout:
                if line.endswith("\n"):  # the last one may be cut when the process is killed
                    self._take(json.loads(line))
            self.process.wait()
            self.messages.seek(0)
            lines = self.messages.read().decode("utf-8", "replace").splitlines()
            self.failure = lines[-1] if lines else None

    def _take(self, event: dict[str, Any]) -> None:
        if event["kind"] == "settings":
            self.settings, self.why = event["values"], event["why"]
        elif event["kind"] == "note":
            self.notes.append(event["message"])
        else:
            self.error = event["message"]


class Trainings:
    """Starts and stops trainings; at most one runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Training | None = None

    @property
    def last(self) -> Training | None:
        """The training that was started last."""
        return self._last

    def start(self, name: str, request: TrainingRequest) -> Training:
        """Start a training for the run of that name; raises `ConflictError` while another training runs."""
        with self._lock:
            if self._last is not None and self._last.running:
                raise ConflictError(f"{self._last.run} is still training; stop it first")
            module = "charlm.server.training.process"
            messages = tempfile.TemporaryFile()  # noqa: SIM115 - `follow` closes it
            process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-m", module, json.dumps(request.to_json())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C in the terminal stops it once, through `close`
            )
            self._last = Training(run=name, process=process, messages=messages)
            threading.Thread(target=self._last.follow, name="training", daemon=True).start()
            return self._last

    def stop(self, run: str) -> None:
        """Let a training save and stop; raises `ConflictError` if it isn't one of this server that runs."""
        training = self._last
        if training is None or training.run != run or not training.running:
            raise ConflictError(f"{run} is not training here; stop a run of a terminal there, with Ctrl-C")
        training.ask_to_stop()

    def close(self) -> None:
        """Let the training save and end."""
        training = self._last
        if training is None or not training.running:
            return
        training.ask_to_stop()
        try:
            training.process.wait(_SAVE_SECONDS)
        except subprocess.TimeoutExpired:
            training.process.kill()
            training.process.wait()
