"""The training display: live in a terminal, plain lines elsewhere."""

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from charlm.cli.charts.losses import TRAINING, VALIDATION, Point, loss_chart, section_means
from charlm.cli.ui.numbers import duration, thousands, with_margin
from charlm.cli.ui.visible import visible
from charlm.training.events import Event, SampleEvent, StepEvent, ValidationEvent

_SAMPLE_LINES = 10
_CHART_LINES = (4, 12)  # the fewest, with which the chart is worth its place, and the most
_MOST_LOSSES = 4000  # so that a frame of a long run costs no more than a few milliseconds
_MARKS = {"loss": TRAINING, "validation": VALIDATION}
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
        self._losses: list[Point] = []
        self._validations: list[Point] = []
        self._recent: deque[tuple[float, int, float]] = deque()  # (time, tokens, progress) of the last seconds
        self._live = (
            Live(console=console, get_renderable=self.__rich__, refresh_per_second=4, transient=False)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is None:
            self._console.print(self._title, soft_wrap=True)
        else:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepEvent):
            self._step = event
            self._losses.append((event.step, event.loss))
            if len(self._losses) == _MOST_LOSSES:
                self._losses = section_means(self._losses, _MOST_LOSSES // 2)
            now = time.monotonic()
            self._recent.append((now, event.tokens, event.progress))
            while len(self._recent) > 2 and now - self._recent[0][0] > _SPEED_PERIOD:
                self._recent.popleft()
        elif isinstance(event, ValidationEvent):
            self._validation = event
            self._validations.append((event.step, event.nats_per_token))
            self._best = event if event.best else self._best
            if self._live is None:
                self._console.print(self._line(event), soft_wrap=True)
        else:
            self._sample = event
            validated = self._validation is not None and self._validation.step == event.step
            if self._live is None and not validated:
                self._console.print(self._line(event), soft_wrap=True)

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

    def __rich__(self) -> RenderableType:
        """What fits on the screen: progress and figures, then the chart of losses, then a sample."""
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
        figures = self._figures(step)
        parts += [head, *figures]
        room = self._console.height - 1 - 2 - len(figures)  # one line stays free for the prompt
        fewest, most = _CHART_LINES
        if room >= fewest:
            height = min(most, max(fewest, room - 1 - _SAMPLE_LINES))
            parts.append(loss_chart(self._losses, self._validations, width=self._console.width, height=height))
            room -= height
        if self._sample is not None and room > 1:
            parts += self._sample_lines(self._sample, min(room - 1, _SAMPLE_LINES))
        return Group(*parts)

    def _sample_lines(self, sample: SampleEvent, most: int) -> list[RenderableType]:
        """A title and at most `most` lines; of several texts, each begins a line and is indented where it continues."""
        several = len(sample.texts) > 1
        indent = "  " if several else ""
        lines: list[RenderableType] = []
        for text in sample.texts:
            shown = visible(text)
            wrapped = Text(shown if several else shown.strip("\n")).wrap(
                self._console, max(1, self._console.width - len(indent))
            )
            lines += [Text(indent * (number > 0)) + line for number, line in enumerate(wrapped)]
        title = f"{'samples' if several else 'sample'} at step {thousands(sample.step)}"
        return [Rule(Text(title), align="left", style="dim"), *lines[:most]]

    def _figures(self, step: StepEvent) -> list[Text]:
        """The figures as two lines, names above values, or name by name if the terminal is too narrow."""
        speed = self._speed()
        figures = {"step": thousands(step.step), "epoch": f"{step.epoch:.2f}", "loss": f"{step.loss:.4f}"}
        last, best = self._validation, self._best
        figures["validation"] = "–" if last is None else with_margin(last.nats_per_token, last.margin)
        if best is not None and best is not last:
            figures["best"] = f"{with_margin(best.nats_per_token, best.margin)} at {thousands(best.step)}"
        figures["gradient norm"] = f"{step.gradient_norm:.3f}"
        figures["tokens/s"] = thousands(speed) if speed is not None else "–"
        names = [_named(name) for name in figures]
        widths = [max(name.cell_len, len(value)) for name, value in zip(names, figures.values(), strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= self._console.width:
            above, below = Text(), Text()
            for name, value, width in zip(names, figures.values(), widths, strict=True):
                above.append_text(name).append(" " * (width - name.cell_len + 2))
                below.append(value.ljust(width + 2))
            above.rstrip()
            below.rstrip()
            return [above, below]
        lines = [Text(no_wrap=True)]
        for name, value in zip(names, figures.values(), strict=True):
            pair = name.append(f" {value}", style="default not dim")
            if lines[-1] and lines[-1].cell_len + 2 + pair.cell_len > self._console.width:
                lines.append(Text(no_wrap=True))
            lines[-1].append("  " if lines[-1] else "").append_text(pair)
        return lines

    def _clear_if_resized(self) -> None:
        """Clear the screen after a change of size, since the terminal has rewrapped the lines of the old frame."""
        if self._console.size != self._size:
            self._size = self._console.size
            self._console.control(Control.clear(), Control.home())


def _named(name: str) -> Text:
    """The name of a figure, after its mark in the chart."""
    text = Text()
    if name in _MARKS:
        mark, style = _MARKS[name]
        text.append(mark, style=style).append(" ")
    return text.append(name, style="dim")
