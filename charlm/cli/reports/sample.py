"""What `charlm sample` prints: texts as they are generated, coloured by probability, or as JSON."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.text import Text

from charlm.cli.ui.console import note, print_json, stderr, stdout
from charlm.cli.ui.heatmaps.shades import Shades, shows_colours
from charlm.cli.ui.numbers import thousands, with_margin
from charlm.cli.ui.records import print_records
from charlm.cli.ui.visible import VisibleParts, for_stdout
from charlm.nouns import count_of, form_for

if TYPE_CHECKING:
    from charlm.evaluation.copying import Copied, CopyIndex
    from charlm.sampling import Chunk, GeneratedText
    from charlm.text_model import TextModel

_LEVELS = ((0.5, "at least 50%", 0.0), (0.2, "20%", 0.25), (0.05, "5%", 0.5), (0.01, "1%", 0.75), (0.0, "less", 1.0))
"""Lowest probability, its name in the legend, and the share of the full colour."""


Seeded = tuple[int | None, "GeneratedText"]
"""A text and its seed; a search has none."""


class Texts:
    """Prints texts to stdout, one after another."""

    def __init__(self, *, one_line: bool, show_probs: bool) -> None:
        """Print the legend of the colours if they are used.

        Args:
            one_line: whether texts are single lines, printed without an empty line between them.
            show_probs: whether to colour each character if stdout shows colours, with a legend on stderr.
        """
        console = stdout()
        self._separator = "" if one_line else "\n"
        self._terminal = console.is_terminal
        self._shades = Shades(console) if show_probs and shows_colours(console) else None
        self._visible = VisibleParts() if sys.stdout.isatty() else None
        self._first = True
        self._last = ""
        if self._shades is not None:
            legend = Text("probability of each character:")
            for _, name, share in _LEVELS:
                legend.append(" ").append(f" {name} ", self._shades.style(share))
            stderr().print(legend, soft_wrap=True)
        elif show_probs:
            note("--show-probs needs a terminal with colours; add --jsonl to get the probabilities as numbers")

    def begin(self) -> None:
        """Start a text."""
        if not self._first:
            sys.stdout.write(self._separator)
        self._first, self._last = False, ""

    def add(self, text: str, log_probabilities: Iterable[float], underlined: frozenset[int] = frozenset()) -> None:
        """Print the next part of a text, underlining the characters at the indices `underlined`."""
        self._last = text[-1:] or self._last
        characters: Iterable[str] = text if self._visible is None else map(self._visible.add, text)
        if self._shades is not None:
            characters = shaded([*characters], log_probabilities, self._shades)
        if underlined:
            characters = (
                f"\x1b[4m{character}\x1b[24m" if index in underlined and text[index] not in "\r\n" else character
                for index, character in enumerate(characters)
            )
        sys.stdout.write("".join(characters))
        sys.stdout.flush()

    def end(self) -> None:
        """End a text with a line end, unless it has one."""
        if self._visible is not None:
            sys.stdout.write(self._visible.end())
        sys.stdout.write("" if self._last == "\n" else "\n")

    def show(self, written: "GeneratedText", copied: "Copied | None" = None) -> None:
        """Print a whole text; in a terminal, copied passages are underlined."""
        self.begin()
        underlined = {
            index
            for passage in (copied.passages if copied is not None and self._terminal else ())
            for index in range(passage.start, passage.start + passage.length)
        }
        self.add(written.text, written.log_probabilities, frozenset(underlined))
        self.end()

    def stream(self, chunks: Iterator["Chunk"]) -> "GeneratedText":
        """Print a text as it is generated; returns the whole of it."""
        self.begin()
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as end:
                self.end()
                written: GeneratedText = end.value
                return written
            self.add(chunk.text, chunk.log_probabilities)


def shaded(text: Sequence[str], log_probabilities: Iterable[float], shades: Shades) -> Iterator[str]:
    """Each character in the shade of its probability; without one, as in a prefix, it stays as it is."""
    nats = [*log_probabilities]
    nats = [math.inf] * (len(text) - len(nats)) + nats
    for character, log_p in zip(text, nats, strict=True):
        if log_p > 0 or character in "\r\n":
            yield character
        else:
            share = next(share for lowest, _, share in _LEVELS if math.exp(log_p) >= lowest)
            yield shades.render(character, share)


def tell_copied(texts: "Sequence[tuple[str, Copied]]", least: int) -> None:
    """Print the share of the texts that is copied and the longest copied passage, on stderr."""
    characters = sum(copied.characters for _, copied in texts)
    share = sum(copied.copied for _, copied in texts) / max(1, characters)
    line = (
        f"{share:.1%} of {count_of(characters, 'character')} {form_for(characters, 'is', 'are')} copied, in passages "
        f"of at least {count_of(least, 'character')}"
    )
    longest = max(
        (
            (passage.length, text[passage.start : passage.start + passage.length])
            for text, copied in texts
            for passage in copied.passages
        ),
        default=None,
    )
    if longest is not None:
        line += f"; the longest passage has {count_of(longest[0], 'character')}: {longest[1]!r}"
    stderr().print(line, soft_wrap=True)


def record(
    written: "GeneratedText", seed: int | None, *, show_probs: bool, copied: "Copied | None" = None
) -> dict[str, Any]:
    """A text as a JSON object."""
    values: dict[str, Any] = {
        "text": written.text,
        "prefix": written.prefix,
        "ended": written.ended,
        "seed": seed,
        "log_probability": written.log_probability,
        "bits_per_character": written.bits_per_character,
    }
    if written.source is not None:
        values = {"source": written.source} | values
    if show_probs:
        values["log_probabilities"] = list(written.log_probabilities)
    return values if copied is None else values | {"copied": copied.to_json()}


def arranged(texts: Iterable[Seeded], unique: bool, sort: Literal["seed", "score"]) -> Iterator[Seeded]:
    """The texts in their order, duplicates left out if `unique`."""
    seen: set[str] = set()
    again = 0
    for seed, text in texts if sort == "seed" else sorted(texts, key=lambda pair: pair[1].bits_per_character):
        if unique and text.text in seen:
            again += 1
            continue
        seen.add(text.text)
        yield seed, text
    if again:
        note(f"left out {count_of(again, 'duplicate text')}")


def texts_of(loaded: "TextModel", show_probs: bool) -> Texts:
    """What prints the texts of a model."""
    config = loaded.corpus_config
    return Texts(one_line=config.documents == "line" or config.is_pairs, show_probs=show_probs)


def show_texts(
    loaded: "TextModel",
    found: Iterable[Seeded],
    index: "CopyIndex | None",
    *,
    form: Literal["json", "jsonl"] | None,
    show_probs: bool,
) -> None:
    """Print whole texts, or records of them in some form, with the passages that `index` finds in the training text."""
    from charlm.evaluation.copying import find_copies

    def copied_of(text: str) -> "Copied | None":
        return None if index is None else find_copies(text, index)

    def noted() -> Iterator[Seeded]:
        for seed, text in found:
            note_if_banned(text, seed)
            yield seed, text

    if form is not None:
        records = (record(text, seed, show_probs=show_probs, copied=copied_of(text.text)) for seed, text in noted())
        print_records(records, form)
        return
    texts = texts_of(loaded, show_probs)
    copies = []
    for _, text in noted():
        copied = copied_of(text.text)
        texts.show(text, copied)
        if copied is not None:
            copies.append((text.text, copied))
    if index is not None:
        tell_copied(copies, index.least)


def show_checkpoints(loaded: "TextModel", *, json: bool) -> None:
    """Print the samples that a run wrote during training."""
    from charlm.analysis.runs.curves import read_samples
    from charlm.storage.runs import RunFolder

    found = read_samples(RunFolder(loaded.path.parent))
    if json:
        print_json([one.to_json() for one in found])
        return
    console = stdout()
    for one in found:
        nats = one.nats_per_token
        score = "" if nats is None else f", validation {with_margin(nats, one.margin)} nats per token"
        console.print(f"step {thousands(one.step)}{score}", style="bold")
        print(for_stdout(one.text.rstrip("\n")), end="\n\n")


def note_if_banned(text: "GeneratedText", seed: int | None) -> None:
    """Print a note if a text ended because every token was banned."""
    if text.ended == "banned":
        which = "a text" if seed is None else f"the text of seed {seed}"
        note(f"{which} ended because every token was banned; use fewer --ban options or lower --min-length")
