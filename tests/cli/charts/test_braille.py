from charlm.cli.charts.braille import BrailleCanvas


def test_every_dot_has_its_place() -> None:
    canvas = BrailleCanvas(1, 1)
    assert (canvas.dot_columns, canvas.dot_rows) == (2, 4)
    shown = []
    for y in range(4):
        for x in range(2):
            one = BrailleCanvas(1, 1)
            one.dot(x, y)
            shown.append(one.row(0).plain)
    assert "".join(shown) == "⠁⠈⠂⠐⠄⠠⡀⢀"
    canvas.dot(-1, 0)
    canvas.dot(0, 4)
    assert canvas.row(0).plain == " "


def test_lines_and_dashes() -> None:
    canvas = BrailleCanvas(3, 1)
    canvas.line((0, 0), (5, 3))
    assert canvas.row(0).plain == "⠑⠢⢄"
    canvas = BrailleCanvas(3, 2)
    assert canvas.line((0, 7), (2, 7), dashes="#..") == 2
    canvas.line((2, 7), (5, 7), dashes="#..", phase=2)
    assert canvas.row(0).plain == "   " and canvas.row(1).plain == "⡀⢀ "
    canvas.line((2, 0), (2, 7))
    assert canvas.row(0).plain == " ⡇ " and canvas.row(1).plain == "⡀⣇ "


def test_a_character_hides_dots_and_the_last_style_wins() -> None:
    canvas = BrailleCanvas(2, 1)
    canvas.line((0, 0), (3, 0), "red")
    canvas.dot(2, 3, "blue")
    canvas.character(0, 0, "●", "green")
    row = canvas.row(0)
    assert row.plain == "●⡉"
    assert [span.style for span in row.spans] == ["green", "blue"]
