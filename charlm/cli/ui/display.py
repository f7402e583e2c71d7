"""The training display: live in a terminal, plain lines elsewhere."""

import time
from collections import deque
from itertools import pairwise
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charlm.cli.ui.console import duration, thousands, with_margin
from charlm.cli.ui.visible import visible
from charlm.training.events import Event, SampleEvent, StepEvent, ValidationEvent

_BLOCKS = "▁▂▃▄▅▆▇█"
_SAMPLE_LINES = 8
_UNLIMITED = 1000  # columns, more than any frame needs
_SPEED_PERIOD = 5.0  # seconds over which the displayed speed is averaged


class TrainingDisplay:
    """Displays the events of a run; a context manager that is called with each event."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._size = console.size
        self._step: StepEvent | None = None
        self._validation: ValidationEvent | None = None
        self._best: ValidationEvent | None = None
        self._sample: SampleEvent | None = None
        self._losses: list[float] = []
        self._recent: deque[tuple[float, int, float]] = deque()  # (time, tokens, progress) of the last seconds
        self._live = (
            Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=False)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is None:
            self._console.print(self._title, markup=False, soft_wrap=True)
        else:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepEvent):
            self._step = event
            self._losses.append(event.loss)
            now = time.monotonic()
            self._recent.append((now, event.tokens, event.progress))
            while len(self._recent) > 2 and now - self._recent[0][0] > _SPEED_PERIOD:
                self._recent.popleft()
        elif isinstance(event, ValidationEvent):
            self._validation = event
            self._best = event if event.best else self._best
            if self._live is None:
                self._console.print(self._line(event), markup=False, soft_wrap=True)
        else:
            self._sample = event
            validated = self._validation is not None and self._validation.step == event.step
            if self._live is None and not validated:
                self._console.print(self._line(event), markup=False, soft_wrap=True)

    def _line(self, event: ValidationEvent | SampleEvent) -> str:
        parts = [f"step {thousands(event.step)}"]
        if self._step is not None:
            parts += [
                f"{self._step.progress:.0%}",
                f"loss {self._step.loss:.4f}",
                f"gradient norm {self._step.gradient_norm:.3f}",
            ]
        if isinstance(event, ValidationEvent):
            validation = with_margin(event.nats_per_token, event.margin)
            parts.append(f"validation {validation} ({event.bits_per_character:.4f} bits/char)")
        if (speed := self._speed()) is not None:
            parts.append(f"{thousands(speed)} tokens/s")
        return "  ".join(parts) + "  best" * (isinstance(event, ValidationEvent) and event.best)

    def _speed(self) -> float | None:
        """Tokens per second over the last seconds."""
        if len(self._recent) < 2:
            return None
        (start, tokens_before, _), (end, tokens, _) = self._recent[0], self._recent[-1]
        return (tokens - tokens_before) / (end - start) if end > start else None

    def _remaining(self) -> float | None:
        """Estimated seconds to the end, at the pace of the last seconds."""
        if self._step is None or len(self._recent) < 2:
            return None
        (start, _, progress_before), (end, _, progress) = self._recent[0], self._recent[-1]
        return (1 - progress) * (end - start) / (progress - progress_before) if progress > progress_before else None

    def _render(self) -> RenderableType:
        self._clear_if_resized()
        parts: list[RenderableType] = [Text(visible(self._title), style="bold", overflow="ellipsis", no_wrap=True)]
        if self._step is None:
            return Group(*parts, Text("starting …", style="dim"))
        step = self._step
        remaining = self._remaining()
        head = Table.grid(padding=(0, 2), expand=True)
        head.add_column(ratio=1)
        head.add_column(justify="right", no_wrap=True)
        head.add_row(
            ProgressBar(total=1.0, completed=step.progress),
            f"{step.progress:.0%}  {duration(step.seconds)} elapsed"
            + (f", {duration(remaining)} left" if remaining is not None else ""),
        )
        parts += [
            head,
            self._numbers(step),
            Text(sparkline(self._losses, max(10, self._console.width - 12)) + " loss", style="cyan"),
        ]
        if self._sample is not None:
            title = f"sample at step {thousands(self._sample.step)}"
            sample = visible(self._sample.text).strip("\n")
            lines = Text(sample).wrap(self._console, max(1, self._console.width - 4))
            parts.append(Panel(Text("\n").join(lines[:_SAMPLE_LINES]), title=title, title_align="left"))
        return Group(*parts)

    def _numbers(self, step: StepEvent) -> Table:
        """The figures in a row, or in a column if the terminal is too narrow."""
        speed = self._speed()
        figures = {"step": thousands(step.step), "epoch": f"{step.epoch:.2f}", "loss": f"{step.loss:.4f}"}
        last, best = self._validation, self._best
        figures["validation"] = "–" if last is None else with_margin(last.nats_per_token, last.margin)
        if best is not None and best is not last:
            figures["best"] = f"{with_margin(best.nats_per_token, best.margin)} at {thousands(best.step)}"
        figures["gradient norm"] = f"{step.gradient_norm:.3f}"
        figures["tokens/s"] = thousands(speed) if speed is not None else "–"
        row = _grid(len(figures))
        row.add_row(*figures, style="dim")
        row.add_row(*figures.values())
        unlimited = self._console.options.update(width=_UNLIMITED)
        if self._console.measure(row, options=unlimited).maximum <= self._console.width:
            return row
        column = _grid(2)
        for name, value in figures.items():
            column.add_row(Text(name, style="dim"), value)
        return column

    def _clear_if_resized(self) -> None:
        """Clear the screen after a change of size, since the terminal has rewrapped the lines of the old frame."""
        if self._console.size != self._size:
            self._size = self._console.size
            self._console.control(Control.clear(), Control.home())


def _grid(columns: int) -> Table:
    """A grid whose cells are never wrapped."""
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns):
        grid.add_column(no_wrap=True)
    return grid


def sparkline(values: list[float], width: int) -> str:
    """Values as a row of at most `width` blocks: the means of equal sections, the highest block for the largest."""
    if not values:
        return ""
    width = min(width, len(values))
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)
