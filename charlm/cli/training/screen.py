"""A training run in the terminal."""

from typing import TYPE_CHECKING, Any, Self

from rich.console import Console

from charlm.cli.training.display import TrainingDisplay
from charlm.cli.ui.console import Bars
from charlm.cli.ui.numbers import thousands
from charlm.config import TrainConfig
from charlm.nouns import count_of
from charlm.processes.interrupt import Interrupt
from charlm.training.events import Event

if TYPE_CHECKING:  # these modules import torch, which takes longer than a first line on the screen should
    from charlm.data.dataset import Dataset
    from charlm.model.language_model import LanguageModel
    from charlm.storage.runs import RunFolder
    from charlm.training.start.settings import AutotunedSettings


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
        self._console.print(f"auto-selected: {settings}", soft_wrap=True)
        self._console.print(f"reason: {selected.why}", soft_wrap=True)

    def prepared(self, run: "RunFolder", dataset: "Dataset", model: "LanguageModel", config: TrainConfig) -> None:
        """Remove the bars and begin the display."""
        import torch

        self._bars.finish()
        shape, threads = model.config, torch.get_num_threads()
        self._display = TrainingDisplay(
            self._console,
            f"{run.path}: {shape.layer_kind} {shape.num_layers}x{shape.hidden_size}, "
            f"{count_of(model.num_parameters(), 'parameter')}, "
            + (f"n-gram prior of order {shape.ngram_order}, " if shape.ngram_order else "")
            + f"{dataset.tokenizer.kind} vocabulary of {thousands(shape.vocab_size)}, "
            f"{count_of(dataset.train.facts.tokens, 'training token')}, "
            f"{count_of(threads, 'thread')}",
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
