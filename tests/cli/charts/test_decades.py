from rich.console import Console

from charlm.cli.charts.decades import axis, decade_line


def test_a_line_of_blocks_falls_a_block_a_decade() -> None:
    assert decade_line([3 * 10.0**-k for k in range(10)], 10).plain == "█▇▆▅▄▃▂▁··"
    assert decade_line([1.0, 10.0, 1e30, float("inf")], 10).plain == "█▲▲▲"
    assert decade_line([1.0, 0.0], 10).plain == "█·"
    assert decade_line([0.0, 0.0], 10).plain == "··"
    assert decade_line([1.0] * 4 + [1e-2] * 4, 2).plain == "█▆"


def test_a_line_of_blocks_is_coloured_in_a_terminal_only() -> None:
    line = decade_line([1.0, 1e-9], 2)
    for terminal in (True, False):
        console = Console(force_terminal=terminal, color_system="standard" if terminal else None, no_color=False)
        with console.capture() as capture:
            console.print(line)
        assert ("\x1b[32m" in capture.get()) is terminal


def test_the_axis_marks_lags_where_they_are() -> None:
    assert axis(8, 9) == "k=0 4 6 8"
    line = axis(200, 50)
    assert line.startswith("k=0") and line.endswith("200") and len(line) == 50
    assert 24 <= line.index("100") <= 25
