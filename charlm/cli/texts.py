"""How written texts are shown: as they come, coloured by probability, or as JSON."""

import math
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from charlm.cli.console import print_json, stderr, stdout

if TYPE_CHECKING:
    from charlm.sampler import Piece, Written

_SHADES = ((0.5, "at least 50%", 34), (0.2, "20%", 37), (0.05, "5%", 178), (0.01, "1%", 208), (0.0, "less", 196))
"""Least probability, how the legend calls it, and colour of 256, from green to red."""


class Texts:
    """Prints texts to stdout, one after another."""

    def __init__(self, *, one_line: bool, show_probs: bool) -> None:
        """Begin.

        Args:
            one_line: texts are lines, and no empty line stands between them.
            show_probs: colour each character, if stdout shows colours, and explain the colours on stderr.
        """
        console = stdout()
        self._between = "" if one_line else "\n"
        self._coloured = show_probs and console.is_terminal and not console.no_color
        self._first = True
        self._last = ""
        if self._coloured:
            shades = ", ".join(f"[color({colour})]{name}[/]" for _, name, colour in _SHADES)
            stderr().print(f"probability of each character: {shades}", soft_wrap=True)
        elif show_probs:
            stderr().print(
                "note: no colours here, so --show-probs shows nothing; with --jsonl it prints figures",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )

    def begin(self) -> None:
        """Begin a text."""
        if not self._first:
            sys.stdout.write(self._between)
        self._first, self._last = False, ""

    def add(self, text: str, log_probabilities: Iterable[float]) -> None:
        """Go on with the text."""
        self._last = text[-1:] or self._last
        if self._coloured:
            text = "".join(coloured(text, log_probabilities))
        sys.stdout.write(text)
        sys.stdout.flush()

    def end(self) -> None:
        """End the text, in a line of its own."""
        sys.stdout.write("" if self._last == "\n" else "\n")

    def show(self, written: "Written") -> None:
        """A whole text."""
        self.begin()
        start = len(written.text) - written.characters
        self.add(written.text[:start], ())
        self.add(written.text[start:], written.log_probabilities)
        self.end()

    def stream(self, pieces: Iterator["Piece"]) -> "Written":
        """A text as it comes; the whole of it."""
        self.begin()
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                self.end()
                written: Written = end.value
                return written
            self.add(piece.text, piece.log_probabilities)


def coloured(text: str, log_probabilities: Iterable[float]) -> Iterator[str]:
    """The characters, each in the colour of its probability; those that have none, as a prefix, as they are."""
    nats = [*log_probabilities]
    nats = [math.inf] * (len(text) - len(nats)) + nats
    for character, log_p in zip(text, nats, strict=True):
        if log_p > 0 or character in "\r\n":
            yield character
        else:
            shade = next(colour for least, _, colour in _SHADES if math.exp(log_p) >= least)
            yield f"\x1b[38;5;{shade}m{character}\x1b[0m"


def record(written: "Written", seed: int | None, *, show_probs: bool) -> dict[str, Any]:
    """A text for programs."""
    values: dict[str, Any] = {
        "text": written.text,
        "prefix": written.prefix,
        "ended": written.ended,
        "seed": seed,
        "log_probability": written.log_probability,
        "bits_per_character": written.bits_per_character,
    }
    return values | ({"log_probabilities": list(written.log_probabilities)} if show_probs else {})


def print_records(records: Iterable[dict[str, Any]], *, lines: bool) -> None:
    """All texts as one JSON value, or each as a line as soon as it is there."""
    if not lines:
        print_json(list(records))
        return
    for values in records:
        print_json(values)
        sys.stdout.flush()
