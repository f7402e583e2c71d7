import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from charlm.cli.training.display import TrainingDisplay
from charlm.cli.ui.console import Bars, VisibleConsole
from charlm.training.events import SampleEvent, StepEvent, ValidationEvent

STEP = StepEvent(
    step=12345,
    epoch=1.5,
    progress=0.5,
    tokens=10**6,
    seconds=65.0,
    loss=1.2345,
    gradient_norm=0.321,
    clipped_norm=0.321,
    learning_rate=0.001,
)
VALIDATIONS = [
    ValidationEvent(
        step=step, seconds=1.0, nats_per_token=nats, bits_per_character=2.0, tokens=9, margin=0.0, best=best
    )
    for step, nats, best in ((11000, 1.5005, True), (12000, 1.6006, False))
]


def frame(width: int, *samples: str, height: int = 40) -> list[str]:
    """The lines of a frame."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    display = TrainingDisplay(console, "runs/a: lstm 1x256")
    for record in (STEP, *VALIDATIONS, SampleEvent(step=12000, texts=samples or ("a line\nanother",))):
        display(record)
    with console.capture() as captured:
        console.print(display)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [36, 40, 80, 200])
def test_figures_are_whole_at_any_width(width: int) -> None:
    shown = frame(width)
    assert max(map(len, shown)) <= width
    for figure in ("12,345", "1.50", "1.2345", "1.6006", "0.321"):
        assert any(re.search(rf"(^|\s){figure}(\s|$)", line) for line in shown), figure
    (names,) = (line for line in shown if "gradient norm" in line)
    assert ("epoch" in names) == (width >= 80)
    assert any("1.5005 at 11,000" in line for line in shown)


@pytest.mark.parametrize(("sample", "lines"), [("one", 1), ("one\ntwo", 2), ("word " * 1000, 10), ("x\n" * 100, 10)])
def test_the_sample_takes_the_room_it_needs_and_no_more_than_ten_lines(sample: str, lines: int) -> None:
    shown = frame(80, sample)
    top = next(index for index, line in enumerate(shown) if "sample at step" in line)
    assert len(shown) - top == lines + 1


def test_each_of_several_samples_begins_a_line() -> None:
    shown = frame(40, "Anna", "", "word " * 12, "two\nlines")
    top = next(index for index, line in enumerate(shown) if "samples at step 12,000" in line)
    words = ["word " * 6 + "word", "  word word word word word"]
    assert shown[top + 1 :] == ["Anna", "", *words, "two", "  lines"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (40, 15), (36, 12), (80, 8), (24, 5)])
def test_a_frame_fits_the_terminal_with_the_chart_before_the_sample(width: int, height: int) -> None:
    shown = frame(width, *(f"name {number}" for number in range(10)), height=height)
    assert len(shown) < height or height == 5
    assert max(map(len, shown)) <= width
    assert any("┤" in line for line in shown) == (height >= 12)
    assert any("name 9" in line for line in shown) == (height >= 24)


def test_the_losses_of_a_long_run_are_drawn_as_means(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    monkeypatch.setattr("charlm.cli.training.display.loss_chart", lambda losses, *_, **__: drawn.extend(losses) or "")
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    display = TrainingDisplay(console, "runs/a")
    for step in range(1, 10_002):
        display(replace(STEP, step=step, loss=float(step)))
    console.print(display)
    assert 2000 <= len(drawn) < 4000
    assert drawn[-1] == (10_001, 10_001.0)
    assert all(step == loss for step, loss in drawn)


def test_bars_are_not_red() -> None:
    console = VisibleConsole(file=io.StringIO(), force_terminal=True, color_system="truecolor", no_color=False)
    for style, colour in (("bar.complete", "cyan"), ("bar.pulse", "cyan"), ("bar.finished", "green")):
        assert console.get_style(style).color.name == colour


def test_a_status_line_is_drawn_at_once_and_removed() -> None:
    file = io.StringIO()
    with Bars(VisibleConsole(file=file, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})) as bars:
        bars.status("loading torch")
        assert "loading torch …" in file.getvalue()
        bars("reading", 1, 2)
        assert "reading …" in file.getvalue()
        bars.finish()
        removed = file.getvalue()
        assert removed.endswith("\x1b[2K")
        bars("encoding", 1, 2)
    assert file.getvalue() == removed


@pytest.mark.parametrize("terminal", [False, True])
def test_no_status_line_without_a_terminal_that_can_remove_it(terminal: bool) -> None:
    file = io.StringIO()
    with Bars(VisibleConsole(file=file, force_terminal=terminal, _environ={"TERM": "dumb"})) as bars:
        bars.status("loading torch")
    assert file.getvalue() == ""


def test_a_change_of_size_clears_the_screen_once() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24)
    with TrainingDisplay(console, "runs/a") as display:
        display(STEP)
        console.print(display)
        assert "\x1b[2J" not in file.getvalue()
        console.width = 50
    assert file.getvalue().count("\x1b[2J\x1b[H") == 1  # the last frame is drawn at the end
    console.print(display)
    assert file.getvalue().count("\x1b[2J\x1b[H") == 1
