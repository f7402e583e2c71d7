"""JSON that satisfies a schema, as an automaton: the schema becomes a regular expression.

The engine of outlines-core ignores the keywords that it doesn't know and writes some strings without escapes, so a
schema may only have what is certain to be satisfied; anything else is an error.
"""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from charlm.errors import ConfigError
from charlm.sampling.constraints.automata.pattern import EngineError, compiled
from charlm.sampling.constraints.automaton import DEAD, FIRST, Table

_NOTES = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_NOTES |= {"$schema", "$id", "$comment", "$defs", "definitions"}
_OF_TYPE: dict[str, set[str]] = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "integer": set(),
    "number": set(),
    "boolean": set(),
    "null": set(),
}
_IS_OF_TYPE: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_MOST_PARTS = 5000
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"  # days that every month has
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_HEX = "[0-9a-f]"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
}
_CONTROLS, _QUOTE, _BACKSLASH = range(0x20), ord('"'), ord("\\")


def satisfying(text: str) -> Table:
    """The JSON texts that satisfy a schema, which is given as JSON itself.

    Raises `ConfigError` if it isn't JSON, says what can't be guaranteed, or is too complex.
    """
    try:
        schema = json.loads(text, parse_constant=_no_number)
        sound = json.dumps(_sound(_inlined(schema, schema, (), count()), "#"), ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--json-schema is not JSON: {error or 'too deep'}; give a JSON schema") from None
    try:
        return compiled(sound, is_schema=True)
    except EngineError as error:
        reason = str(error).partition("\n")[0].strip()
        if "must be" in reason:
            raise ConfigError(f"--json-schema can't be used: {reason[:200]}; change the schema") from None
        raise _too_complex() from None


def _no_number(name: str) -> None:
    raise ValueError(f"it has {name}, which is not a JSON number")


def _inlined(part: Any, schema: Any, within: tuple[str, ...], numbers: Iterator[int]) -> Any:
    """A part of a schema with the definitions in place of its references.

    The engine follows references three deep only, and leaves out what is deeper.
    """
    if next(numbers) > _MOST_PARTS:
        raise _too_complex()
    if isinstance(part, list):
        return [_inlined(one, schema, within, numbers) for one in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str):
        kept = ((name, one) for name, one in part.items() if name not in ("$defs", "definitions"))
        return {name: _inlined(one, schema, within, numbers) for name, one in kept}
    start, _, path = reference.partition("/")
    section, _, name = path.partition("/")
    found = schema.get(section) if start == "#" and section in ("$defs", "definitions") else None
    if not isinstance(found, dict) or name not in found:
        raise ConfigError(
            f"--json-schema: $ref is {_shown(reference)}, which is not in this file; charlm opens no others, so name a "
            "schema of its $defs, as in #/$defs/NAME"
        )
    if reference in within:
        raise ConfigError(f"--json-schema: {reference} contains itself; write out as many levels as you need")
    if others := sorted(part.keys() - _NOTES - {"$ref"}):
        raise ConfigError(f"--json-schema: {others[0]} is next to $ref {reference}; leave one of them out")
    return _inlined(found[name], schema, (*within, reference), numbers)


def _sound(schema: Any, place: str) -> dict[str, Any]:
    """A schema that the engine takes at its word; raises `ConfigError` for what it would not keep."""
    if not isinstance(schema, dict):
        raise ConfigError(f'--json-schema: {place} is {_shown(schema)}; it must be an object, such as {{"type": ...}}')
    kept = {name: value for name, value in schema.items() if name not in _NOTES}
    kind = next((name for name in ("anyOf", "const", "enum", "type", "properties") if name in kept), None)
    if kind is None and kept:
        raise _refused(place, f"has {min(kept)}, which charlm can't guarantee; use a type, enum or anyOf")
    if kind is None:
        raise _refused(place, "doesn't say what to write; give it a type, enum, const, anyOf or $ref")
    types = kept["type"] if isinstance(kept.get("type", "object"), list) else [kept.get("type", "object")]
    for name in types:
        if not isinstance(name, str) or name not in _OF_TYPE:
            raise _refused(f"{place}/type", f"is {_shown(name)}; it must be one of {', '.join(_OF_TYPE)}")
    allowed = set().union(*(_OF_TYPE[name] for name in types)) if kind in ("type", "properties") else {kind}
    others = sorted(kept.keys() - allowed - ({"type"} if kind != "anyOf" else set()))
    if others:
        raise _refused(place, f"has {others[0]}, which charlm can't guarantee next to {kind}; leave it out")
    if kind == "anyOf":
        return {"anyOf": [_sound(one, f"{place}/anyOf/{n}") for n, one in enumerate(_list(kept, place, kind))]}
    if kind in ("const", "enum"):
        values = [kept["const"]] if kind == "const" else _list(kept, place, "enum")
        for value in values:
            _require_plain_keys(value, place)
            if "type" in kept and not any(_IS_OF_TYPE[name](value) for name in types):
                raise _refused(place, f"allows {_shown(value)}, which is no {' or '.join(types)}; leave it out")
        return {kind: kept[kind]}
    if "array" in types and "items" not in kept:
        raise ConfigError(f'--json-schema: {place} is an array without items; add them, such as {{"type": "string"}}')
    if "object" in types and not kept.keys() & {"properties", "additionalProperties"}:
        raise _refused(place, "is an object without properties; name them")
    sound = {"type": kept["type"]} if "type" in kept else {}
    return sound | _string(kept, place) | _array(kept, place) | _object_parts(kept, place)


def _string(kept: dict[str, Any], place: str) -> dict[str, Any]:
    """The keywords of a string, the format as a pattern."""
    sound = _numbers(kept, place, "minLength", "maxLength")
    named = [name for name in ("pattern", "format") if name in kept]
    if len(named) + bool(sound) > 1:
        raise _refused(place, f"has {' and '.join([*named, *sound])}; leave only one of pattern, format and lengths")
    if named == ["format"]:
        if kept["format"] not in list(_FORMATS):
            raise _refused(
                f"{place}/format",
                f"is {_shown(kept['format'])}; it must be one of {', '.join(_FORMATS)}; or use pattern",
            )
        sound["pattern"] = f"^{_FORMATS[kept['format']]}$"
    elif named:
        sound["pattern"] = _pattern(kept["pattern"], f"{place}/pattern")
    return sound


def _pattern(pattern: Any, place: str) -> str:
    """A pattern of a whole string, which has nothing that JSON must escape."""
    inner = f"({pattern.removeprefix('^').removesuffix('$')})" if isinstance(pattern, str) else ""
    try:
        table = compiled(inner)
    except EngineError:
        raise _refused(
            place, f"is {_shown(pattern)}, which is wrong or has a part that isn't supported; use a simpler pattern"
        ) from None
    live = table.next[FIRST:, table.classes[[*_CONTROLS, _QUOTE, _BACKSLASH]]]
    if bool(np.any((live != DEAD) & (live >= FIRST))):
        raise _refused(
            place,
            f"is {_shown(pattern)}, which allows quotes, backslashes or control characters; use classes such as [a-z ]",
        )
    return f"^{inner}$"


def _array(kept: dict[str, Any], place: str) -> dict[str, Any]:
    """The keywords of an array."""
    sound = _numbers(kept, place, "minItems", "maxItems")
    return sound | ({"items": _sound(kept["items"], f"{place}/items")} if "items" in kept else {})


def _object_parts(kept: dict[str, Any], place: str) -> dict[str, Any]:
    """The keywords of an object: other properties than the named ones are never written."""
    sound: dict[str, Any] = {}
    if "properties" in kept:
        parts = _object(kept["properties"], place, "properties")
        _require_plain_keys(dict.fromkeys(parts), place)
        sound["properties"] = {name: _sound(part, f"{place}/properties/{name}") for name, part in parts.items()}
    elif isinstance(kept.get("additionalProperties"), dict):
        sound["additionalProperties"] = _sound(kept["additionalProperties"], f"{place}/additionalProperties")
    elif "additionalProperties" in kept:
        sound["properties"] = {}
    required = _list(kept, place, "required", least=0) if "required" in kept else []
    for name in required:
        if name not in list(sound.get("properties", {})):
            raise _refused(place, f"requires {_shown(name)}, which is not in properties; add it there")
    return sound | ({"required": required} if required else {})


def _numbers(kept: dict[str, Any], place: str, *names: str) -> dict[str, Any]:
    """The lengths of these names; the first is at most the second."""
    found = {name: kept[name] for name in names if name in kept}
    for name, value in found.items():
        if not _IS_OF_TYPE["integer"](value) or value < 0:
            raise _refused(f"{place}/{name}", f"is {_shown(value)}; it must be a whole number from 0")
    return found


def _object(value: Any, place: str, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(f"{place}/{name}", f"is {_shown(value)}; it must be an object")
    return value


def _list(kept: dict[str, Any], place: str, name: str, least: int = 1) -> list[Any]:
    value = kept[name]
    if not isinstance(value, list) or len(value) < least:
        raise _refused(f"{place}/{name}", f"is {_shown(value)}; it must be a list with a value or more")
    return value


def _require_plain_keys(value: Any, place: str) -> None:
    """Raise `ConfigError` for an object with a key that JSON must escape, which the engine doesn't."""
    for key in value if isinstance(value, dict) else ():
        if json.dumps(key, ensure_ascii=False) != f'"{key}"':
            raise _refused(place, f"has the key {_shown(key)}; leave out quotes and control characters")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_plain_keys(part, place)


def _too_complex() -> ConfigError:
    return ConfigError(
        "--json-schema is too complex; use fewer properties, fewer levels, or smaller maxLength and maxItems"
    )


def _refused(place: str, why: str) -> ConfigError:
    """The error for a part of a schema, which is named by its path."""
    return ConfigError(f"--json-schema: {place} {why}")


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else shown[:60] + "..."
