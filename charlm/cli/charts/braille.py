"""A canvas of braille characters: each cell has two columns of four dots, and a style."""

from rich.text import Text

_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bit of the dot in each row and column of a cell


class BrailleCanvas:
    """Dots and characters to be drawn on; a dot is given by its column from the left and its row from the top.

    A cell takes the style of what was drawn in it last. A character hides the dots of its cell.

    Attributes:
        dot_columns: width in dots.
        dot_rows: height in dots.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.dot_columns, self.dot_rows = 2 * columns, 4 * rows
        self._dots = [[0] * columns for _ in range(rows)]
        self._characters = [[""] * columns for _ in range(rows)]
        self._styles = [[""] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, style: str = "") -> None:
        """Set a dot; one outside of the canvas is ignored."""
        if 0 <= x < self.dot_columns and 0 <= y < self.dot_rows:
            self._dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._styles[y // 4][x // 2] = style

    def line(
        self, start: tuple[int, int], end: tuple[int, int], style: str = "", dashes: str = "#", phase: int = 0
    ) -> int:
        """A straight line; returns the phase with which the next line continues its dashes.

        Args:
            start: column and row of its first dot.
            end: column and row of its last dot.
            style: style of the cells that it crosses.
            dashes: pattern that repeats along the line: a dot is set where it has a #.
            phase: where in the pattern the first dot is.
        """
        (x, y), (to_x, to_y) = start, end
        length = max(abs(to_x - x), abs(to_y - y))
        for step in range(length + 1):
            if dashes[(phase + step) % len(dashes)] == "#":
                share = step / max(1, length)
                self.dot(x + round((to_x - x) * share), y + round((to_y - y) * share), style)
        return phase + length

    def character(self, column: int, row: int, character: str, style: str = "") -> None:
        """Put a character into a cell."""
        self._characters[row][column] = character
        self._styles[row][column] = style

    def row(self, number: int) -> Text:
        """A row of cells; a cell without dots is a blank."""
        text = Text()
        for dots, character, style in zip(
            self._dots[number], self._characters[number], self._styles[number], strict=True
        ):
            text.append(character or (chr(_BLANK | dots) if dots else " "), style=style)
        return text
