"""The Lecture page shows what `charlm trace` and `charlm diagnose` show."""

import json

import pytest

from charlm.analysis.trace import trace
from charlm.server.views import lecture
from charlm.server.workers import AbandonedError


def test_a_trace_is_that_of_the_command(charlm, served) -> None:
    shown = json.loads(charlm("trace", "--text", "ab", "--steps", 20, "--json").stdout)
    assert served.json("POST", "/api/trace", {"text": "ab", "steps": 20}) == shown


def test_gradients_of_an_upload(served, sentences: str) -> None:
    served.ask("POST", "/api/uploads?title=cats", sentences.encode())
    (name,) = served.json("GET", "/api/corpora")["uploads"]
    body = {"upload": name, "cells": ["rnn"], "lags": 5, "steps": 0, "hidden": 4}
    (cell,) = served.json("POST", "/api/diagnose", body)["cells"]
    assert cell["cell"] == "rnn" and len(cell["start"]["gradients"]["h"]) == 6
    assert served.ask("POST", "/api/diagnose", {"corpus": "/etc/passwd"})[0] == 404
    assert served.ask("POST", "/api/trace", {"text": "ab", "steps": 10**6})[0] == 400


def test_a_trace_and_a_diagnosis_are_bounded_in_time(served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lecture, "TRACE_SECONDS", -1.0)
    monkeypatch.setattr(lecture, "DIAGNOSE_SECONDS", -1.0)
    for path, body in (("trace", {"text": "ab"}), ("diagnose", {"corpus": "python-docs", "cells": ["rnn"]})):
        status, answer = served.ask("POST", f"/api/{path}", body)
        assert status == 400 and b"the computation took longer than -1 seconds; ask for fewer steps or units" in answer


def test_a_trace_that_nobody_waits_for_ends() -> None:
    steps = list[int]()

    def progress(what: str, done: int, total: int | None) -> None:
        steps.append(done)
        if done == 3:
            raise AbandonedError

    with pytest.raises(AbandonedError):
        trace("ab", steps=100, progress=progress)
    assert steps == [1, 2, 3]
