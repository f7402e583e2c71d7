"""JSON bodies of requests: bounded in size and time, and their fields checked one by one."""

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from charlm.nouns import count_of
from charlm.server.errors import RequestError, TooLargeError

BODY_BYTES = 1_000_000
"""Largest body of a request, except for uploads."""
BODY_SECONDS = 20.0
"""Longest time in which a client must have sent a body."""
_SOURCE_CHARACTERS = 100_000
_MISSING = object()


async def read_body(request: Request, *, most: int = BODY_BYTES, seconds: float = BODY_SECONDS) -> bytes:
    """The body of a request.

    Raises `TooLargeError` as soon as it exceeds `most` bytes, and `RequestError` if it isn't complete in time.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise TooLargeError(_too_large(int(announced), most))
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise TooLargeError(_too_large(size, most))
                parts.append(part)
    except TimeoutError:
        raise RequestError(f"the request was not complete after {seconds:g} s; send it again") from None
    except ClientDisconnect:
        raise RequestError("the client left before its request was complete") from None
    return b"".join(parts)


async def read_fields(request: Request) -> "Fields":
    """The fields of a JSON body; raises `RequestError` if it is no JSON object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(f"the content type is {kind or 'missing'}; send JSON as application/json")
    try:
        values = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        raise RequestError("the body is not valid JSON; send a JSON object") from None
    if not isinstance(values, dict):
        raise RequestError("the body is no JSON object; send one, such as {}")
    return Fields(values)


def _too_large(size: int, most: int) -> str:
    return f"the request has {count_of(size, 'byte')}; at most {most:,} are allowed"


class Fields:
    """The fields of a JSON object. Each is taken with its type and range; null stands for a missing field."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._taken: set[str] = set()

    def take(self, name: str, default: Any = None) -> Any:
        """A field of any type."""
        self._taken.add(name)
        return self._values.get(name, default)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RequestError(f"{name} is {_shown(value)}; give a number", param=name)
        if not low <= value <= high:  # also for NaN, and a whole number too large for a float
            raise RequestError(f"{name} is {_shown(value)}; give {low:g} to {high:g}", param=name)
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise RequestError(f"{name} is {value:g}; give a whole number", param=name)
        return int(value)

    def optional_whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number, or None if the field is missing."""
        return self.whole(name, low, low, high) if name in self._values else self.take(name)

    def text(self, name: str, default: str | None = None, *, most: int) -> str:
        """A text of at most `most` characters; required without a default."""
        value = self.take(name, _MISSING if default is None else default)
        if value is _MISSING:
            raise RequestError(f"{name} is missing; give a text", param=name)
        return _checked_text(value, name, most)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise RequestError(f"{name} is {_shown(value)}; give true or false", param=name)
        return value

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """One of some words."""
        value = self.take(name, default)
        if value not in allowed:
            raise RequestError(f"{name} is {_shown(value)}; choose from {', '.join(allowed)}", param=name)
        return str(value)

    def texts(self, name: str, *, number: int, most: int) -> tuple[str, ...]:
        """A list of at most `number` texts, each of at most `most` characters; a single text is a list of one."""
        value = self.take(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or len(values) > number:
            raise RequestError(f"{name} must be a list of at most {number} texts", param=name)
        return tuple(_checked_text(one, name, most) for one in values)

    def require_all_taken(self) -> None:
        """Raise `RequestError` for a field that nothing has taken, since it would have no effect."""
        if left := sorted(self._values.keys() - self._taken):
            raise RequestError(f"there is no field {left[0]}; leave it out", param=left[0])


def take_labels(fields: Fields) -> tuple[str, ...]:
    """The field `label`: one or several labels such as "mood=positive", as of `charlm sample --label`."""
    return fields.texts("label", number=16, most=1000)


def take_source(fields: Fields) -> str | None:
    """The field `source`, for which a model of pairs writes or reads the text."""
    return None if fields.take("source") is None else fields.text("source", most=_SOURCE_CHARACTERS)


def _checked_text(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} is {_shown(value)}; give a text", param=name)
    if len(value) > most:
        raise RequestError(f"{name} has {count_of(len(value), 'character')}; give at most {most:,}", param=name)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise RequestError(f"{name} is not valid Unicode; it has half of a surrogate pair", param=name)
    return value


def _shown(value: Any) -> str:
    """A value of any type in a message, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"
