import pytest

from charlm.analysis.runs.axes import Limits, robust_limits
from charlm.analysis.runs.curves import Curve
from charlm.cli.charts.plot import Series, beyond, mark, plot
from charlm.cli.ui.numbers import number_of

FALLING = Curve(x=tuple(range(101)), y=tuple(100.0 - x for x in range(101)))
LEVEL = Curve(x=(0, 100), y=(50.0, 50.0))
HUNDRED = Limits(low=0.0, high=100.0)


def chart(*series: Series, limits: Limits = HUNDRED, width: int = 24, height: int = 5) -> list[str]:
    return plot(series, limits, right=100.0, unit="steps", width=width, height=height).plain.splitlines()


def test_a_chart_puts_every_line_where_it_belongs() -> None:
    assert [line.rstrip() for line in chart(Series(line=FALLING), Series(line=LEVEL))] == [
        "100 ┤⠉⠢⢄⡀",
        "    │   ⠈⠑⠤⣀",
        " 50 ┤⠤⠤ ⠤⠤ ⠤⠭⠢⢤⡤ ⠤⠤ ⠤⠤ ▲",
        "    │          ⠈⠒⠤⣀",
        "  0 ┤              ⠑⠢⢄ ●",
        "    └┬───────────────┬",
        "     0       100 steps",
    ]


def test_one_run_needs_no_mark_at_its_end() -> None:
    lines = chart(Series(line=LEVEL))
    assert lines[2] == " 50 ┤" + "⠤" * 19 and not any(mark(0)[0] in line for line in lines)


def test_ends_in_the_same_row_are_marked_one_below_the_other() -> None:
    lines = chart(*[Series(line=LEVEL)] * 3)
    assert sorted(line[-1] for line in lines[:5] if line[-1] in "●▲■") == sorted("●▲■")


def test_points_have_marks_and_margins() -> None:
    points = Curve(x=(0.0, 50.0, 100.0), y=(90.0, 50.0, 50.0), margin=(0.0, 40.0, None))
    lines = chart(Series(line=Curve(x=(), y=()), points=points))
    assert [line[5:].rstrip() for line in lines[:5]] == [
        "●        ⡄",
        "         ⡇",
        "         ●        ●",
        "         ⡇",
        "         ⠃",
    ]


def test_a_value_beyond_the_limits_is_marked_at_the_edge_and_told() -> None:
    spiky = Curve(x=tuple(range(101)), y=tuple({40: 5000.0, 80: -3.0}.get(x, 1 + x / 100) for x in range(101)))
    limits = robust_limits(spiky.y)
    assert limits == Limits(low=1.0, high=2.0)
    lines = chart(Series(line=spiky), limits=limits)
    assert lines[0][5 + 7] == "↑" and lines[4][5 + 15] == "↓"
    assert not any(sign in line for line in lines[1:4] for sign in "↑↓")
    assert beyond([Series(line=spiky)], limits) == "↑ above the chart: up to 5,000; ↓ below the chart: down to -3"
    assert beyond([Series(line=LEVEL)], HUNDRED) == ""


def test_the_mark_of_a_point_beyond_the_limits_is_an_arrow() -> None:
    points = Curve(x=(50.0,), y=(1e9,), margin=(1.0,))
    text = "\n".join(chart(Series(line=LEVEL, points=points)))
    assert text.count("↑") == 1 and "●" not in text


@pytest.mark.parametrize("width", [10, 20, 40, 100])
def test_a_chart_is_not_wider_than_told(width: int) -> None:
    lines = chart(Series(line=FALLING), Series(line=LEVEL), width=width)
    assert max(map(len, lines)) <= max(width, 17)


def test_charts_of_one_point_and_of_equal_values() -> None:
    for curve in (Curve(x=(3,), y=(1.0,)), Curve(x=(0, 50, 100), y=(1.0, 1.0, 1.0)), Curve(x=(0,), y=(1.0,))):
        lines = plot(
            [Series(line=curve)], Limits(low=1.0, high=1.0), right=curve.x[-1], unit="s", width=30, height=3
        ).plain.splitlines()
        assert lines[1].startswith("1 ┤")
        assert any("\u2800" < character <= "\u28ff" for character in lines[1]) and lines[-1].endswith(" s")


def test_many_runs_have_marks_of_their_own() -> None:
    assert len({mark(number)[0] for number in range(34)}) == 34


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (1.23456, "1.235"), (0.00002, "2e-05"), (12345.6, "12,346"), (2e7, "2e+07")],
)
def test_numbers_are_short(text: str, value: float | None) -> None:
    assert number_of(value) == text
