"""`charlm sample --interactive`: the keyboard and the screen of a `charlm.sampling.session.Session`."""

import codecs
import contextlib
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from charlm.cli.ui.console import stderr
from charlm.cli.ui.visible import visible
from charlm.errors import CharlmError, ConfigError
from charlm.sampling.session import Offer, Session

OFFERS = 9
_HELP = "↑ ↓ choose  ⏎ → accept  ⌫ ← undo  ⇥ generate a word  other keys type  Esc end"
_UP, _DOWN = ("\x1b[A", "\x1bOA", "\xe0H"), ("\x1b[B", "\x1bOB", "\xe0P")
_TAKE = ("\r", "\n", "\x1b[C", "\x1bOC", "\xe0M")
_BACK = ("\x7f", "\b", "\x1b[D", "\x1bOD", "\xe0K")
_CTRL_D = "\x04"
_END = ("\x1b", _CTRL_D)
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|.", re.DOTALL)
_MAX_WORD = 40  # tokens of a generated word


@contextlib.contextmanager
def keyboard() -> Iterator[Callable[[], str]]:
    """A function that reads one key from the terminal; meanwhile keys are not echoed and not buffered by line."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield typer.getchar
        return
    terminal = sys.stdin.fileno()
    settings = termios.tcgetattr(terminal)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    waiting: deque[str] = deque()

    def read_key() -> str:
        while not waiting:
            data = os.read(terminal, 1024)
            waiting.extend(_KEY.findall(decoder.decode(data)) if data else [_CTRL_D])
        return waiting.popleft()

    tty.setcbreak(terminal)
    try:
        yield read_key
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, settings)


def require_terminal() -> None:
    """Raise `ConfigError` unless a person sits at stdin and stderr."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise ConfigError("--interactive needs a terminal on stdin and stderr; leave it out when you redirect them")


def pick(session: Session) -> None:
    """Let a person write a text together with the model, in a terminal; the session then has the text.

    Raises KeyboardInterrupt on Ctrl-C.
    """
    console = stderr()
    chosen, note = 0, ""
    with keyboard() as read_key, Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            offers = session.offers(OFFERS)
            chosen = max(0, min(chosen, len(offers) - 1))
            live.update(_screen(console, session.text, offers, chosen, note), refresh=True)
            note = ""
            key = read_key()
            if key in _END:
                return
            if key in _UP or key in _DOWN:
                chosen += 1 if key in _DOWN else -1
                continue
            if key in _TAKE and offers:
                if not offers[chosen].text:
                    return
                session.take(offers[chosen])
            elif key in _BACK:
                note = "" if session.back() else "nothing to undo"
            elif key == "\t":
                note = write_word(session)
            elif key.isprintable():
                try:
                    session.type(key)
                except CharlmError as error:
                    note = str(error)
            chosen = 0


def write_word(session: Session) -> str:
    """Let the model write to the end of a word; returns a note for the user, or an empty string.

    The word ends with a blank, or before a token that adds a blank and more: a subword has its blank in front.
    """
    before = len(session.text)
    for _ in range(_MAX_WORD):
        inside = bool(session.text[before:].strip())
        written = session.go_on()
        if written is None:
            return "" if inside else "the model ends the text here"
        if inside and written[:1].isspace():
            if not written.isspace():
                session.back()
            break
    return ""


def _screen(console: Console, text: str, offers: list[Offer], chosen: int, note: str) -> RenderableType:
    height = max(3, console.height - OFFERS - 5)
    lines = Text(visible(text)).wrap(console, max(10, console.width))[-height:]
    table = Table.grid(padding=(0, 1))
    for index, offer in enumerate(offers):
        style = "bold reverse" if index == chosen else ""
        bar = "█" * round(30 * offer.probability)
        table.add_row(
            ">" if index == chosen else " ",
            Text(_symbols(offer.text), style=style),
            f"{offer.probability:.1%}",
            Text(bar, style="cyan"),
        )
    last = Text(visible(note), style="yellow")
    return Group(Text("\n").join(lines), Text(""), table, last, Text(_HELP, style="dim"))


def _symbols(text: str) -> str:
    """The text of a token with symbols for blanks, line ends and control characters."""
    return visible(text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")) if text else "(end of the text)"
