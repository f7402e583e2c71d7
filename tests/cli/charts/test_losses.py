import pytest

from charlm.cli.charts.losses import loss_chart


def test_a_falling_loss_goes_from_corner_to_corner_and_validation_is_marked() -> None:
    training = [(10 * k, 3.0 - 0.5 * k) for k in range(1, 5)]
    chart = loss_chart(training, [(20, 2.5), (40, 1.0)], width=26, height=5)
    assert chart.plain.splitlines() == [
        "2.5 ┤⠉⠒⠢⠤⣀  ●             ",
        "    │     ⠉⠑⠒⠤⣀⡀          ",
        "    │          ⠈⠉⠒⠤⢄⣀     ",
        "  1 ┤                ⠉⠑⠢⠤●",
        "    └ step 10 ───────── 40",
    ]


def test_the_high_losses_at_the_beginning_do_not_flatten_a_long_curve() -> None:
    training = [(step, 9.0 if step < 50 else 2.0 - step / 1000) for step in range(10, 1001, 10)]
    lines = loss_chart(training, [(20, 8.0), (1000, 1.5)], width=80, height=8).plain.splitlines()
    assert float(lines[0].split("┤")[0]) < 2.0 and "step 110 " in lines[-1] and lines[-1].endswith("1,000")
    assert sum(line.count("●") for line in lines) == 1


@pytest.mark.parametrize("width", [1, 12, 40, 200])
@pytest.mark.parametrize("points", [1, 2, 9, 19, 20, 1000])
def test_a_chart_of_any_size_and_number_of_points_fits(width: int, points: int) -> None:
    training = [(step + 1, 1.0 + step % 3) for step in range(points)]
    for validation in ([], [(points, 2.5)], [(1, float("inf"))]):
        lines = loss_chart(training, validation, width=width, height=4).plain.splitlines()
        assert len(lines) == 4
        assert width < 40 or max(map(len, lines)) <= width
