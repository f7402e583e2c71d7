"""A training as a process of its own, whose events go to stdout as one JSON object a line.

`settings` has the auto-selected settings and why they were chosen, `note` a warning, and `error` the mistake that ends
the run. The figures of the run are in its folder. SIGINT saves the run and ends the process.
"""

import contextlib
import json
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from charlm.config import CorpusOptions, JsonConfig, TrainOptions
from charlm.errors import CharlmError
from charlm.processes.waiting import wait_without_spinning

if TYPE_CHECKING:  # imports torch, before which `wait_without_spinning` must be called
    from charlm.processes.interrupt import Interrupt
    from charlm.training.start.settings import AutotunedSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRequest(JsonConfig):
    """What a page asks to train."""

    run: str
    """The run folder."""
    text: str | None = None
    """A file or a named corpus; None continues the run."""
    documents: Literal["auto", "file", "line", "paragraph"] = "auto"
    """What a document is; auto is as usual for the text."""
    minutes: float | None = None
    """Length of the run; None is the usual one, or that of the run."""
    steps: int | None = None


def main(request: TrainingRequest) -> int:
    """Train, and return the exit status: 1 after a mistake of the user, 130 if the run was stopped early."""
    wait_without_spinning()
    from charlm.processes.interrupt import Interrupt

    notes = _Notes(logging.WARNING)
    logging.getLogger("charlm").addHandler(notes)
    with Interrupt() as interrupt:
        try:
            return 0 if _train(request, interrupt) else 130
        except CharlmError as error:
            _tell(kind="error", message=str(error))
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            logging.getLogger("charlm").removeHandler(notes)


def _train(request: TrainingRequest, interrupt: "Interrupt") -> bool:
    """Whether the run came to its end."""
    from charlm.api import Callbacks, resume_run, train_run

    callbacks = Callbacks(on_settings=_tell_settings, on_start=interrupt.arm, should_stop=interrupt)
    lengths = TrainOptions()
    if request.minutes is not None:
        lengths["minutes"] = request.minutes
    if request.steps is not None:
        lengths["steps"] = request.steps
    if request.text is None:
        trained = resume_run(request.run, lengths=lengths, callbacks=callbacks)
    else:
        corpus = CorpusOptions() if request.documents == "auto" else CorpusOptions(documents=request.documents)
        trained = train_run(request.text, run=request.run, corpus=corpus, training=lengths, callbacks=callbacks)
    return trained.outcome.finished


def _tell_settings(selected: "AutotunedSettings") -> None:
    _tell(kind="settings", values=selected.model | selected.training, why=selected.why)


def _tell(**event: Any) -> None:
    """Write an event; if the server has gone, nobody reads it and the training goes on."""
    with contextlib.suppress(OSError):
        print(json.dumps(event), flush=True)


class _Notes(logging.Handler):
    """Tells the library's warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a warning as an event."""
        _tell(kind="note", message=record.getMessage())


if __name__ == "__main__":
    sys.exit(main(TrainingRequest.from_json(json.loads(sys.argv[1]))))
