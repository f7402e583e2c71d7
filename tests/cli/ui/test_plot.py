import pytest

from charlm.analysis.runs.curves import Curve
from charlm.cli.ui.plot import number_of, plot


def test_a_chart_puts_every_line_where_it_belongs() -> None:
    falling = Curve(x=tuple(range(100)), y=tuple(100.0 - x for x in range(100)))
    level = Curve(x=(0, 99), y=(50.0, 50.0))
    lines = plot([falling, level], width=20, height=5, label="steps").plain.splitlines()
    assert lines == [
        "    95.5 ┤aa        ",
        "         │  aa      ",
        "         │b   aa   b",
        "         │      aa  ",
        "     5.5 ┤        aa",
        "         └──────────",
        "          0 99 steps",
    ]


def test_a_chart_of_nothing_and_of_one_point() -> None:
    assert plot([Curve(x=(), y=())], width=40).plain == "no data yet"
    assert plot([Curve(x=(3,), y=(1.0,))], width=40, height=3).plain.splitlines()[1].strip() == "│a"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (1.23456, "1.235"), (0.00002, "2e-05"), (12345.6, "12,346"), (2e7, "2e+07")],
)
def test_numbers_are_short(text: str, value: float | None) -> None:
    assert number_of(value) == text
