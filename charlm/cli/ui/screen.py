"""A training run in the terminal: its display and its handling of Ctrl-C."""

import signal
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console

from charlm.cli.ui.console import Bars, thousands
from charlm.cli.ui.display import TrainingDisplay
from charlm.config import TrainConfig
from charlm.training.events import Event

if TYPE_CHECKING:  # these modules import torch, which takes longer than a first line on the screen should
    from charlm.data.dataset import Dataset
    from charlm.model.language_model import LanguageModel
    from charlm.storage.runs import RunFolder
    from charlm.training.start.autotune import AutotunedSettings


class Interrupt:
    """Turns Ctrl-C, SIGTERM and SIGHUP during training into a request to save and stop; a second Ctrl-C stops at once.

    Until `armed` is set, they raise KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.armed = False
        self._requested = False

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            numbers.append(signal.SIGHUP)
        self._previous = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.armed or (self._requested and number == signal.SIGINT):
            raise KeyboardInterrupt
        self._requested = True

    def arm(self, *_: object) -> None:
        """From now on, save and stop."""
        self.armed = True

    def __call__(self) -> bool:
        """Whether the run is to save and stop."""
        return self._requested


class Screen:
    """The training display, which begins once the run is prepared."""

    def __init__(self, console: Console, bars: Bars, interrupt: Interrupt) -> None:
        self._console = console
        self._bars = bars
        self._interrupt = interrupt
        self._display: TrainingDisplay | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._display is not None:
            self._display.__exit__(*error)

    def autotuned(self, selected: "AutotunedSettings") -> None:
        """Print the settings that were selected, and why."""
        self._bars.finish()
        if not selected.model and not selected.training:
            return
        settings = ", ".join(
            f"{name.replace('_', ' ')} {_setting(value)}"
            for name, value in (selected.model | selected.training).items()
        )
        self._console.print(f"auto-selected: {settings}", markup=False, soft_wrap=True)
        self._console.print(f"reason: {selected.why}", markup=False, soft_wrap=True)

    def prepared(self, run: "RunFolder", dataset: "Dataset", model: "LanguageModel", config: TrainConfig) -> None:
        """Remove the bars and begin the display."""
        import torch

        self._bars.finish()
        shape, threads = model.config, torch.get_num_threads()
        self._display = TrainingDisplay(
            self._console,
            f"{run.path}: {shape.layer_kind} {shape.num_layers}x{shape.hidden_size}, "
            f"{thousands(model.num_parameters())} parameters, "
            + (f"n-gram prior of order {shape.ngram_order}, " if shape.ngram_order else "")
            + f"{dataset.tokenizer.kind} vocabulary of {thousands(shape.vocab_size)}, "
            f"{thousands(dataset.train.facts.tokens)} training tokens, "
            f"{threads} {'thread' if threads == 1 else 'threads'}",
        )
        self._display.__enter__()
        self._interrupt.arm()

    def __call__(self, event: Event) -> None:
        assert self._display is not None
        self._display(event)


def _setting(value: Any) -> str:
    """The value of a setting, for a person."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
