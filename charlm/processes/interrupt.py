"""Signals that ask a training to save and stop."""

import signal
from types import FrameType
from typing import Self


class Interrupt:
    """Turns Ctrl-C, SIGTERM and SIGHUP during training into a request to save and stop; a second Ctrl-C stops at once.

    Until `armed` is set, they raise KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.armed = False
        self._requested = False

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            numbers.append(signal.SIGHUP)
        self._previous = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.armed or (self._requested and number == signal.SIGINT):
            raise KeyboardInterrupt
        self._requested = True

    def arm(self, *_: object) -> None:
        """From now on, save and stop."""
        self.armed = True

    def __call__(self) -> bool:
        """Whether the run is to save and stop."""
        return self._requested
