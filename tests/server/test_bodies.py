"""Fields that no program writes on purpose are refused as any other."""

import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/api/trace", {"text": "hello", "hidden": 10**400}, "hidden is 1000"),
        ("/api/trace", {"text": "hello", "hidden": float("nan")}, "hidden is NaN; give 1 to 64"),
        ("/api/trace", {"text": "hello", "steps": True}, "steps is true; give a number"),
        ("/api/trace", {"text": "hello", "cell": "\ud800"}, 'cell is "?"; choose from'),
        ("/api/trace", {"text": "hello", "\ud800": 1}, "there is no field ?; leave it out"),
    ],
)
def test_a_field_out_of_range_is_named(served, path: str, body: Any, message: str) -> None:
    status, answer = served.ask("POST", path, body)
    error = json.loads(answer)["error"]
    assert status == 400 and error["message"].startswith(message)
