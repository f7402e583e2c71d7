"""The stop texts of a configuration, before which a text ends."""

import re

from charlm.data.inputs.line_ends import any_line_end, with_lf


class StopTexts:
    """Searches a text for the stop texts, before which it ends; a line end in them stands for any line end."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = tuple(map(with_lf, texts))
        self._patterns = [re.compile(any_line_end(text)) for text in texts]
        self._longest = max((len(text) + text.count("\n") for text in self._texts), default=1) - 1

    def __bool__(self) -> bool:
        return bool(self._texts)

    def find(self, text: str, start: int) -> int | None:
        """The position of the first stop text at or after `start`; None if there is none."""
        return min((match.start() for stop in self._patterns if (match := stop.search(text, start))), default=None)

    def unfinished(self, text: str) -> int:
        """The length of the longest end of `text` that a stop text begins with."""
        for length in range(min(len(text), self._longest), 0, -1):
            if any(stop.startswith(with_lf(text[-length:])) for stop in self._texts):
                return length
        return 0
