import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from charlm.config import CorpusConfig
from charlm.data.corpus import read_corpus
from charlm.data.inputs import download
from charlm.data.registry import NamedCorpus, OfficialSplit, find_named, registry, registry_folder
from charlm.data.sources import find_sources
from charlm.errors import DownloadError
from charlm.progress import silent

SCHEMES = download.SCHEMES
CONTENT = b"To be, or not to be.\n" * 5000


def test_official_splits_are_corpora_of_their_own() -> None:
    entry = registry()["wikitext-2"]
    assert set(entry.held_out) == {"valid", "test"}
    found = find_named("wikitext-2:test")
    assert found == entry.held_out["test"]
    assert (found.bytes, found.name, found.held_out) == (1_256_449, "wikitext-2:test", {})
    assert found.url != entry.url and found.sha256 != entry.sha256 and found.licence == entry.licence
    assert find_named("wikitext-2") == entry
    assert find_named("wikitext-2:train") is find_named("tinyshakespeare:test") is find_named("x:test") is None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web server on loopback, without https, that serves CONTENT as text.txt.

    /redirect/N leads to text.txt by N redirects, /to?ADDRESS to an address.
    """
    monkeypatch.setattr(download, "SCHEMES", ("http",))
    root = tmp_path / "served"
    root.mkdir()
    (root / "text.txt").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, directory=str(root), **kwargs)

        def do_GET(self) -> None:
            if self.path.startswith(("/redirect/", "/to?")):
                left = self.path.removeprefix("/redirect/")
                target = self.path.removeprefix("/to?")
                if left.isdigit():
                    target = f"/redirect/{int(left) - 1}" if int(left) > 1 else "/text.txt"
                self.send_response(302)
                self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *args) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def corpus(url: str) -> NamedCorpus:
    return NamedCorpus(
        name="served",
        kind="download",
        description="",
        licence="",
        origin="",
        url=url,
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )


def test_a_download_is_kept_and_reported(server: str) -> None:
    entry = corpus(f"{server}/text.txt")
    assert not entry.here
    seen: list[tuple[str, int, int | None]] = []
    (source,) = entry.sources(lambda *report: seen.append(report))
    with source.open() as file:
        assert file.read() == CONTENT
    assert seen[-1] == ("downloading served", len(CONTENT), len(CONTENT))
    assert entry.here
    seen.clear()
    entry.sources(lambda *report: seen.append(report))
    assert seen == []


def test_asking_whether_a_corpus_is_here_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "other"
    monkeypatch.setenv("CHARLM_CACHE", str(cache))
    assert not corpus("http://127.0.0.1:9/text.txt").here
    assert not cache.exists()
    cache.write_text("a file")
    assert not corpus("http://127.0.0.1:9/text.txt").here


ACCENTS = "é and ü and 水 and 🦉, ".encode()
"""21 bytes, of which the cuts below fall into characters."""


@pytest.fixture
def zipped(server: str, tmp_path: Path):
    """A corpus that is a file in a zip archive, with two official splits."""

    def zipped(**fields) -> NamedCorpus:
        archive = tmp_path / "served" / "texts.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("folder/all.txt", ACCENTS)
            file.writestr("folder/test.txt", b"the test part")
        content = archive.read_bytes()
        entry = replace(
            corpus(f"{server}/texts.zip"),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            member="folder/all.txt",
            range=(0, 1),
            valid=OfficialSplit(range=(1, len(ACCENTS))),
            test=OfficialSplit(member="folder/test.txt", range=(0, 13)),
        )
        return replace(entry, **fields)

    return zipped


def read(entry: NamedCorpus, progress=silent) -> bytes:
    (source,) = entry.sources(progress)
    with source.open() as file:
        return file.read()


def test_a_text_in_an_archive_is_unpacked_and_the_archive_is_downloaded_once(zipped, tmp_path: Path) -> None:
    entry, seen = zipped(), []
    assert not entry.here
    assert read(entry, lambda what, *_: seen.append(what)) == "é".encode()
    assert entry.here and list(dict.fromkeys(seen)) == ["downloading served", "unpacking served"]
    (tmp_path / "served" / "texts.zip").unlink()
    assert read(entry.held_out["valid"]) == ACCENTS[2:]
    assert read(entry.held_out["test"]) == b"the test part"
    assert entry.held_out["test"].held_out == {}


@pytest.mark.parametrize("cut", range(1, len(ACCENTS)))
def test_the_parts_of_a_text_have_all_its_characters(cut: int, zipped) -> None:
    entry = zipped(range=(0, cut), valid=OfficialSplit(range=(cut, len(ACCENTS))))
    first, second = read(entry), read(entry.held_out["valid"])
    assert first + second == ACCENTS and first.decode() + second.decode() == ACCENTS.decode()
    assert 0 <= len(first) - cut <= 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"member": "absent"}, "can't unpack absent"), ({"range": (0, 1000)}, "and served needs 1,000")],
)
def test_an_archive_without_the_text_is_named(fields: dict, message: str, zipped) -> None:
    entry = zipped(**fields)
    with pytest.raises(DownloadError, match=message):
        entry.sources()
    assert not entry.here


def test_a_wrong_checksum_keeps_nothing(server: str, tmp_path: Path) -> None:
    entry = replace(corpus(f"{server}/text.txt"), sha256="0" * 64)
    with pytest.raises(DownloadError, match="doesn't match the registry"):
        entry.sources()
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_a_missing_page_and_a_missing_network_are_named(server: str) -> None:
    with pytest.raises(DownloadError, match=r"can't download served from .*404"):
        corpus(f"{server}/nothing.txt").sources()
    with pytest.raises(DownloadError, match=r"\(the server can't be reached\); check the network, or save the file as"):
        corpus("http://127.0.0.1:9/text.txt").sources()


def test_a_download_larger_than_the_registry_says_is_stopped(server: str, tmp_path: Path) -> None:
    entry = replace(corpus(f"{server}/text.txt"), bytes=len(CONTENT) - 1)
    with pytest.raises(DownloadError, match=f"is larger than the {len(CONTENT) - 1:,} bytes in the registry"):
        entry.sources()
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_redirects_are_followed_within_reason(server: str) -> None:
    with pytest.raises(DownloadError, match="is redirected more than 5 times"):
        corpus(f"{server}/redirect/6").sources()
    (source,) = corpus(f"{server}/redirect/5").sources()
    assert source.size == len(CONTENT)


def test_only_secure_addresses_are_read(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match=r"leads to 'file:///etc/passwd', which is not an https address"):
        corpus(f"{server}/to?file:///etc/passwd").sources()
    monkeypatch.setattr(download, "SCHEMES", SCHEMES)
    with pytest.raises(DownloadError, match=rf"leads to '{server}/text.txt', which is not an https address"):
        corpus(f"{server}/text.txt").sources()


def test_bundled_texts_are_what_the_registry_says() -> None:
    bundled = [entry for entry in registry().values() if entry.kind == "bundled"]
    assert {entry.name for entry in bundled} == {"hello", "dishes", "reviews"}
    for entry in bundled:
        content = (registry_folder() / entry.file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.bytes, entry.sha256)


def test_every_entry_says_where_it_is_from() -> None:
    for entry in registry().values():
        assert entry.description and entry.licence and entry.origin
        if entry.kind == "download":
            assert entry.url.startswith("https://") and len(entry.sha256) == 64 and entry.bytes


@pytest.mark.parametrize(("name", "least"), [("python-docs", 300_000), ("python-source", 5_000_000)])
def test_python_brings_its_own_text(name: str, least: int) -> None:
    found = find_sources([name])
    assert found.named is registry()[name]
    corpus = read_corpus(found, CorpusConfig())
    assert corpus.characters > least
    assert corpus.documents > 50
    assert not any("test" in source.name.split("/") for source in found.sources)
