import json
from typing import Any

import pytest

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig, generate_many
from charlm.sampling.constraints.automata.json_schema import satisfying
from charlm.tokenizers import CharTokenizer

pytest.importorskip("outlines_core")

CHARACTERS = CharTokenizer("".join(sorted({*' "[]{}:,.-+\\\nabcdefilnrstuABeE0123456789TZé'})))


def is_person(value: Any) -> bool:
    """Whether a value is of the first schema."""
    rest = value.keys() - {"a", "é"}
    return not rest and type(value["a"]) is int and (value.get("é") is None or len(value["é"]) <= 3)


SCHEMAS = {
    "object": (
        {
            "title": "A",
            "type": "object",
            "properties": {"a": {"type": "integer"}, "é": {"type": ["string", "null"], "maxLength": 3}},
            "required": ["a"],
            "additionalProperties": False,
        },
        is_person,
    ),
    "array": (
        {"type": "array", "items": {"$ref": "#/$defs/b"}, "minItems": 2, "$defs": {"b": {"type": "boolean"}}},
        lambda value: len(value) >= 2 and all(isinstance(one, bool) for one in value),
    ),
    "choice": (
        {"anyOf": [{"enum": ['a"b', 1.5]}, {"const": {"a": []}}]},
        lambda value: value in ('a"b', 1.5, {"a": []}),
    ),
    "pattern": ({"type": "string", "pattern": "^a|b$"}, lambda value: value in ("a", "b")),
    "date": ({"type": "string", "format": "date"}, lambda value: len(value) == 10 and value[4] == "-"),
    "map": (
        {"type": "object", "additionalProperties": {"type": "number"}},
        lambda value: all(isinstance(one, int | float) for one in value.values()),
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_text_is_json_that_satisfies_the_schema(uneven, name: str) -> None:
    schema, holds = SCHEMAS[name]
    config = SampleConfig(length=60, temperature=1.0, json_schema=json.dumps(schema))
    for text in generate_many(uneven(CHARACTERS), CHARACTERS, seed=1, num=3, batch=3, config=config):
        assert holds(json.loads(text.text)), text.text


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("NaN", "is not JSON: it has NaN"),
        ([], "# is \\[\\]; it must be an object"),
        ({}, "doesn't say what to write"),
        ({"type": {}}, "/type is {}; it must be one of string"),
        ({"type": "integer", "minimum": 3}, "has minimum, which charlm can't guarantee"),
        ({"oneOf": [{"type": "null"}]}, "has oneOf, which charlm can't guarantee"),
        ({"$ref": "other.json#/a"}, "is not in this file"),
        ({"$ref": "#/$defs/a"}, "is not in this file"),
        ({"type": "string", "pattern": ".*"}, "allows quotes, backslashes or control characters"),
        ({"type": "string", "pattern": "a("}, "has a part that isn't supported"),
        ({"type": "string", "pattern": "a", "maxLength": 3}, "leave only one of"),
        ({"type": "string", "format": "email"}, "must be one of date, time"),
        ({"type": "string", "maxLength": -1}, "must be a whole number"),
        ({"type": "string", "maxLength": 100_000}, "is too complex"),
        ({"type": "array"}, "is an array without items"),
        ({"type": "object"}, "is an object without properties"),
        ({"enum": []}, "a list with a value or more"),
        ({"type": "integer", "enum": ["a"]}, 'allows "a", which is no integer'),
        ({"const": {'a"': 1}}, "has the key"),
        ({"properties": {"a": {"type": "null"}}, "required": ["b"]}, 'requires "b"'),
    ],
)
def test_what_can_t_be_guaranteed_is_one_line(schema: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^--json-schema.*{message}") as caught:
        satisfying(schema if isinstance(schema, str) else json.dumps(schema))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("required", [["a"], []])
def test_a_schema_that_contains_itself_is_an_error(required: list[str]) -> None:
    endless = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": required}
    with pytest.raises(ConfigError, match=r"#/\$defs/a contains itself"):
        satisfying(json.dumps({"$defs": {"a": endless}, "$ref": "#/$defs/a"}))


def test_definitions_may_be_nested_but_not_explode(read) -> None:
    chain = {f"d{n}": {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"}, "maxItems": 1} for n in range(5)}
    table = satisfying(json.dumps({"$defs": chain | {"d5": {"const": 1}}, "$ref": "#/$defs/d0"}))
    assert read(table, "[[[[[1]]]]]")[1] and not read(table, "[[[[[2]]]]]")[1]
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    with pytest.raises(ConfigError, match="too complex"):
        satisfying(json.dumps({"$defs": twice | {"d40": {"const": 1}}, "$ref": "#/$defs/d0"}))
