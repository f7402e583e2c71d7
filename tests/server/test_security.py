"""Attacks: other sites, other users, paths, and too much of everything."""

import http.client
import socket
import threading
import time
from collections import Counter

import pytest

from charlm.server import timeouts


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "", "127.0.0.1:1", "[::1]:8321"])
def test_foreign_hosts_are_refused(served, host: str) -> None:
    for path in ("/", "/v1/models", "/static/app.css"):
        assert served.ask("GET", path, headers={"Host": host})[0] in (400, 403)


def test_foreign_origins_are_refused(served) -> None:
    for origin in ("http://evil.example", "null", "https://127.0.0.1", f"http://127.0.0.1:{served.port + 1}"):
        status, _ = served.ask("POST", "/v1/completions", {"prompt": "cat"}, headers={"Origin": origin})
        assert status == 403, origin
    own = {"Origin": served.origin, "Sec-Fetch-Site": "same-origin"}
    assert served.ask("POST", "/v1/completions", {"prompt": "cat"}, headers=own)[0] == 200
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert served.ask("GET", "/api/models", headers=foreign)[0] == 403


def test_a_form_of_another_site_is_no_request(served) -> None:
    text = {"Content-Type": "text/plain"}
    assert served.ask("POST", "/v1/completions", b'{"prompt": "cat"}', headers=text)[0] == 400


def test_every_answer_forbids_foreign_scripts(served) -> None:
    for path in ("/", "/static/page.js", "/v1/models", "/nothing"):
        connection = http.client.HTTPConnection("127.0.0.1", served.port)
        connection.request("GET", path)
        answer = connection.getresponse()
        policy = answer.getheader("content-security-policy") or ""
        connection.close()
        assert "default-src 'none'" in policy and "unsafe" not in policy and "require-trusted-types-for" in policy
        assert answer.getheader("access-control-allow-origin") is None


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "..", "%00", "a/../../b", "%2e%2e%2fapp.py", "launch.py"])
def test_paths_lead_nowhere(served, name: str) -> None:
    for folder in ("/static", "/v1/models", "/api/models"):
        assert served.ask("GET", f"{folder}/{name}")[0] in (400, 404)


def test_large_requests_are_refused(served) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\n"
    for rest in ("Content-Length: 50000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nF4241\r\n" + "x" * 1_000_001):
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall((head + rest).encode())
            client.settimeout(20)
            assert b"413" in client.recv(100)
    assert served.ask("POST", "/v1/completions", {"prompt": "c" * 200_000})[0] == 400
    assert served.ask("POST", "/v1/completions", {"prompt": "c", "max_tokens": 10**7})[0] == 400
    assert served.ask("POST", "/v1/completions", b"[" * 100_000, headers={"Content-Type": "application/json"})[0] == 400


def test_of_many_requests_some_wait_and_the_others_are_refused(served) -> None:
    counts: Counter[int] = Counter()

    def ask() -> None:
        try:
            status, _ = served.ask("POST", "/v1/completions", {"prompt": "cat", "max_tokens": 300})
        except OSError:
            status = 0
        counts[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts[200] >= 2 and counts[200] + counts[503] == 200, counts
    assert served.json("POST", "/v1/completions", {"prompt": "cat", "seed": 1})["choices"][0]["text"]
    wait_until_idle(served)


def wait_until_idle(served) -> None:
    """Wait until no worker has anything to do."""
    for _ in range(1000):
        if served.resources.writers.busy == 0:
            return
        time.sleep(0.01)
    raise AssertionError("the work goes on")


def test_a_client_that_leaves_ends_its_generation(served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        body = b'{"prompt": "cat", "max_tokens": 100000, "n": 16, "stream": true}'
        client.sendall(
            f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert b"200 OK" in client.recv(100)
        assert served.resources.writers.busy == 1
    wait_until_idle(served)


def test_silent_clients_are_closed(served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "REQUEST_SECONDS", 0.1)
    for beginning in (b"", b"GET / HTTP/1.1\r\nHost: x"):
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(beginning)
            client.settimeout(20)
            assert client.recv(10) == b""
    assert served.ask("GET", "/")[0] == 200


def test_a_body_that_never_ends_is_given_up(served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charlm.server.bodies.read_body.__kwdefaults__", {"most": 1000, "seconds": 0.1})
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(
            f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        client.settimeout(20)
        assert b"400 Bad Request" in client.recv(100)
