import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from charlm.cli.ui.console import VisibleConsole
from charlm.cli.ui.visible import VisibleParts, visible

HOSTILE = "\x00\x07\x1b[2J\x7f\x85\x9b2J\u200e\u061c\u202e\u2066\udc9b"


def test_control_characters_become_symbols() -> None:
    assert visible(HOSTILE) == "␀␇␛[2J␡<U+0085><U+009B>2J<U+200E><U+061C><U+202E><U+2066><9B>"
    assert visible("tab\tand\nline\r\nend\r, é") == "tab\tand\nline\nend␍, é"


@given(st.lists(st.text("a\r\n\x1b", max_size=3)))
def test_parts_are_shown_like_the_whole(parts: list[str]) -> None:
    shown = VisibleParts()
    assert "".join(map(shown.add, parts)) + shown.end() == visible("".join(parts))


@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_shows_controls_on_a_terminal_only_and_never_takes_a_text_for_markup(terminal: bool) -> None:
    console = VisibleConsole(file=io.StringIO(), force_terminal=terminal, color_system=None, width=80)
    table = Table(title="[red]\x1b]0;t", box=None)
    table.add_column("[/]\x1b")
    table.add_row(Text("[b]\x1b[2J\u202e"))
    console.print(table)
    console.print("[link=x]\x1b[8m")
    written = console.file.getvalue()
    assert all(markup in written for markup in ("[red]", "[/]", "[b]", "[link=x]"))
    assert ("\x1b" in written, "\u202e" in written) == (not terminal, not terminal)
    assert ("␛[8m" in written) == terminal
