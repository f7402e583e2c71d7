import io
import re

import pytest
from rich.console import Console

from charlm.cli.ui.display import TrainingDisplay
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


def frame(width: int, sample: str = "a line\nanother") -> list[str]:
    """The lines of a frame."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=40, color_system=None)
    display = TrainingDisplay(console, "runs/a: lstm 1x256")
    for record in (STEP, *VALIDATIONS, SampleEvent(step=12000, text=sample)):
        display(record)
    with console.capture() as captured:
        console.print(display._render())
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


@pytest.mark.parametrize(("sample", "lines"), [("one", 1), ("one\ntwo", 2), ("word " * 1000, 8), ("x\n" * 100, 8)])
def test_the_sample_takes_the_room_it_needs_and_no_more_than_eight_lines(sample: str, lines: int) -> None:
    shown = frame(80, sample)
    top = next(index for index, line in enumerate(shown) if "sample at step" in line)
    assert len(shown) - top == lines + 2


def test_a_change_of_size_clears_the_screen_once() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24)
    with TrainingDisplay(console, "runs/a") as display:
        display(STEP)
        display._live.refresh()
        assert "\x1b[2J" not in file.getvalue()
        console.width = 50
        display._live.refresh()
        display._live.refresh()
    assert file.getvalue().count("\x1b[2J\x1b[H") == 1
