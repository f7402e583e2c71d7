"""Names that a user may misspell: settings, choices and files; the nearest right one goes into the message."""

import difflib
import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from itertools import chain
from typing import Any, TypeVar

from charlm.errors import ConfigError

Settings = TypeVar("Settings")

_OPTIONS = {
    "num_layers": "layers",
    "hidden_size": "hidden",
    "embedding_size": "embedding",
    "kind": "tokenizer",
    "algorithm": "subword_algorithm",
}
"""The fields whose command-line option has another name."""


def parameter_of(field: str) -> str:
    """The name of the parameter that a command has for a field of a configuration."""
    return _OPTIONS.get(field, field)


def option_of(field: str, value: object = None) -> str:
    """The command-line option for a field of a configuration, such as "--hidden"; with its value, if one is given."""
    option = parameter_of(field).replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option}" if value is None else f"--{option} {value}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, whatever the case of their letters; None if none is much like it."""
    by_folded = {one.casefold(): one for one in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.75)
    return by_folded[matches[0]] if matches else None


def check_names(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `ConfigError` for the first name that is not known; `owner` is what has the settings."""
    known = dict.fromkeys(known)
    for name in given:
        if name not in known:
            part_of = (one for one in known if len(name) > 2 and name in one)  # "hidden" of hidden_size
            nearest = closest(name, known) or next(part_of, None)
            hint = f"its settings are {', '.join(sorted(known))}" if nearest is None else f"did you mean {nearest}?"
            raise ConfigError(f"{owner} has no setting {reprlib.repr(name)}; {hint}")


def names_checked(cls: type[Settings]) -> type[Settings]:
    """Let the constructor of a dataclass raise `ConfigError` for a setting that it lacks."""
    construct = cls.__init__
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]

    @functools.wraps(construct)
    def checked(self: Settings, *arguments: Any, **settings: Any) -> None:
        check_names(cls.__name__, settings, names)
        construct(self, *arguments, **settings)

    cls.__init__ = checked  # type: ignore[method-assign, assignment]
    return cls


def divide_settings(function: Callable[..., Any], settings: Mapping[str, Any], *kinds: type) -> list[dict[str, Any]]:
    """The settings that each of some `TypedDict`s has.

    Raises `ConfigError` for a setting that none of them has; `function` is what was called with it.
    """
    names = [list(kind.__annotations__) for kind in kinds]
    check_names(
        function.__name__, settings, [*list(inspect.signature(function).parameters)[:-1], *chain.from_iterable(names)]
    )
    return [{name: settings[name] for name in own if name in settings} for own in names]
