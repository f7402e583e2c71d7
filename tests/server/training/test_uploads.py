"""Texts that the page uploads."""

import http.client
from pathlib import Path

import pytest

from charlm.server.training import uploads


def test_an_upload_is_kept_under_a_name_of_letters(served) -> None:
    status, answer = served.ask("POST", "/api/uploads?title=../../My%20B%C3%B6%C3%B6k.txt", b"some text")
    assert status == 200
    (name,) = served.json("GET", "/api/corpora")["uploads"]
    assert name.startswith("my-b-k-txt-") and name.encode() in answer
    assert [path.name for path in Path("runs/.uploads").iterdir()] == [f"{name}.txt"]
    assert served.json("DELETE", f"/api/uploads/{name}") == {}
    assert served.json("GET", "/api/corpora")["uploads"] == []


@pytest.mark.parametrize("name", ["..%2fa%2fconfig", "%2e%2e", "a", "my-00000000", "/etc/passwd"])
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
