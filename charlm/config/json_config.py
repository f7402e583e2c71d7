"""The base of all configurations: a frozen dataclass that converts to and from JSON and checks the types of values."""

import math
import reprlib
import sys
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from types import NoneType, UnionType
from typing import Any, Literal, Self, TypeGuard, get_args, get_origin

from charlm.config.names import check_names
from charlm.errors import ConfigError


class JsonConfig:
    """Base of the frozen dataclasses: conversion to and from checked JSON values."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def check(cls, values: dict[str, Any]) -> None:
        """Raise `ConfigError` for unknown keys and wrong types."""
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} must be an object, not {type(values).__name__}")
        annotations = cls._annotations()
        check_names(cls.__name__, values, annotations)
        for key, value in values.items():
            if not _accepts(annotations[key], value):
                raise ConfigError(f"{cls.__name__}: {key} can't be {_shown(value)}")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`; raises `ConfigError` for unknown or missing keys and wrong types."""
        cls.check(values)
        annotations = cls._annotations()
        converted = {key: _value(annotations[key], value) for key, value in values.items()}
        absent = [field for field in fields(cls) if field.name not in values]  # type: ignore[arg-type]
        if missing := [field.name for field in absent if field.default is field.default_factory is MISSING]:
            raise ConfigError(f"{cls.__name__} lacks {', '.join(missing)}; add what is missing")
        return cls(**converted)

    @classmethod
    def _annotations(cls) -> dict[str, Any]:
        """The annotation of each field, by its name."""
        return {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]


def check_amounts(config: JsonConfig) -> None:
    """Raise `ConfigError` for a field with a number that is negative, infinite or NaN."""
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ConfigError(f"{type(config).__name__}: {field.name} is {value}; it must be at least 0 and finite")


def _accepts(annotation: Any, value: object) -> bool:
    """Whether a JSON value fits a field's annotation: int, float, str, bool, None, Literal, tuple or a union.

    An int must fit into 64 bits, and a float may be any int that doesn't overflow.
    """
    if isinstance(annotation, UnionType):
        return any(_accepts(option, value) for option in get_args(annotation))
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    if get_origin(annotation) is tuple:
        return isinstance(value, list | tuple) and _accepts_elements(get_args(annotation), value)
    if get_origin(annotation) is dict or issubclass(annotation, JsonConfig):
        return isinstance(value, dict)
    if annotation is float:
        return isinstance(value, float) or (_is_int(value) and abs(value) <= sys.float_info.max)
    if annotation is int:
        return _is_int(value) and -(2**63) <= value < 2**63
    return value is None if annotation in (None, NoneType) else isinstance(value, annotation)


def _accepts_elements(annotations: tuple[Any, ...], values: Sequence[object]) -> bool:
    """`_accepts` for the elements of a tuple, whose annotations all are the same, or one and an ellipsis."""
    fits = annotations[-1] is Ellipsis or len(values) == len(annotations)
    return fits and all(_accepts(annotations[0], value) for value in values)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _value(annotation: Any, value: Any) -> Any:
    """A JSON value converted to the type of a field's annotation."""
    options = get_args(annotation) or (annotation,)
    if isinstance(value, list):
        return tuple(_value(options[0], element) for element in value)
    if isinstance(value, dict):
        for option in options:
            if isinstance(option, type) and issubclass(option, JsonConfig):
                return option.from_json(value)
    return value


def _shown(value: object) -> str:
    """A value of a file for a message: short, whatever it is."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxlong = shown.maxother = 60
    return shown.repr(value)
