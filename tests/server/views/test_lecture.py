"""The Lecture page shows what `charlm trace` and `charlm diagnose` show."""

import json


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
