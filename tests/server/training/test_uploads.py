"""Texts that the page uploads."""

import http.client
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from charlm.server.training import uploads


def add(served, title: str, content: bytes = b"some text") -> str:
    """Upload a text, and return its name."""
    status, answer = served.ask("POST", f"/api/uploads?title={quote(title)}", content)
    assert status == 200
    return json.loads(answer)["name"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("My Böök, no. 2", "My Böök, no. 2"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "text"),
        ("a\0b\n\tc:d", "a-b--c-d"),
        ("Bo\u0308o\u0308k", "Böök"),
        ("ö" * 200, "ö" * 40),
        ("", "text"),
    ],
)
def test_an_upload_has_the_title_that_the_user_gave(served, title: str, name: str) -> None:
    assert add(served, title) == name
    assert served.json("GET", "/api/corpora")["uploads"] == [name]
    assert [path.name for path in Path("runs/.uploads").iterdir()] == [f"{name}.txt"]
    assert served.json("DELETE", f"/api/uploads/{quote(name)}") == {}
    assert served.json("GET", "/api/corpora")["uploads"] == []


def test_two_texts_of_one_title_are_told_apart(served) -> None:
    """Also where a file system takes two names that differ in case for the same."""
    assert [add(served, title, title.encode()) for title in ("notes", "Notes", "notes (2)", "notes")] == [
        "notes",
        "Notes (2)",
        "notes (2) (2)",
        "notes",
    ]
    assert Path("runs/.uploads/notes.txt").read_bytes() == b"notes"


@pytest.mark.parametrize("name", ["..%2fa%2fconfig", "%2e%2e", "a", ".a", "..%2fa%2fconfig.json", "/etc/passwd"])
def test_only_uploads_are_deleted(served, name: str) -> None:
    assert served.ask("DELETE", f"/api/uploads/{name}")[0] == 404
    assert Path("runs/a/config.json").exists()


def test_without_the_token_nothing_is_kept(served) -> None:
    assert served.ask("POST", "/api/uploads", b"text", token=False)[0] == 403
    assert served.ask("POST", "/api/uploads", b"text", token=False, headers={"X-Charlm-Token": "no"})[0] == 403
    assert not Path("runs/.uploads").exists()


def test_a_large_upload_is_refused_before_it_is_read(served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.putrequest("POST", "/api/uploads")
    connection.putheader("X-Charlm-Token", served.running.token)
    connection.putheader("Content-Length", str(50_000_000))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_empty_and_undecodable_texts_and_too_many_are_refused(served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"is empty" in served.ask("POST", "/api/uploads", b" \n")[1]
    assert b"not UTF-8" in served.ask("POST", "/api/uploads", b"\xff\xfe")[1]
    monkeypatch.setattr(uploads, "MOST_UPLOADS", 1)
    assert served.ask("POST", "/api/uploads", b"one")[0] == 200
    assert served.ask("POST", "/api/uploads", b"one")[0] == 200  # the same text
    assert served.ask("POST", "/api/uploads", b"two")[0] == 409
