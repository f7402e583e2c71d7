import gzip
import io
import zipfile
from pathlib import Path

import pytest

from charlm.config import CorpusConfig
from charlm.data.corpus import open_corpus
from charlm.data.packed import zip_archive
from charlm.data.sources import find_sources
from charlm.errors import CorpusError


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


TEXTS = {name: f"the text of {name}\n".encode() * 40 for name in ("b.txt", "a/z.md", "a.txt", "a/b/c.txt", "ä.txt")}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_archive_is_read_like_the_folder_it_was_made_from(write, caplog, method: int) -> None:
    others = {"scan.pdf": b"%PDF-1.4\n%\xe2\xe3", ".hidden": b"text", "__MACOSX/._a.txt": b"text", "empty.txt": b""}
    for name, content in (TEXTS | others).items():
        path = write(content, f"folder/{name}")
    folder = next(parent for parent in path.parents if parent.name == "folder")
    archive = write(zipped(TEXTS | others, method), "novels.zip")
    packed, plain = open_corpus(archive, CorpusConfig()), open_corpus(folder, CorpusConfig())
    assert packed.sha256 == plain.sha256 and packed.bytes == plain.bytes and packed.files == 5
    assert [*packed.split_documents("train")] == [*plain.split_documents("train")]
    assert packed.name == "novels"
    assert caplog.messages[0] == (
        f"zip archive {archive}: reading 5 files (4 .txt, 1 .md); left out: 1 not text (scan.pdf), 1 empty (empty.txt)"
    )


def test_one_file_in_an_archive_is_that_file(write, caplog) -> None:
    content = TEXTS["b.txt"]
    archive = open_corpus(write(zipped({"b.txt": content}), "b.zip"), CorpusConfig())
    assert archive == open_corpus(write(content, "b.txt"), CorpusConfig())
    assert not caplog.messages


def test_an_archive_can_be_read_again_by_the_arguments_found(write) -> None:
    found = find_sources([write(zipped(TEXTS), "b.zip"), write("text", "c.txt")])
    again = find_sources(found.arguments)
    assert [source.name for source in again.sources] == [source.name for source in found.sources]
    assert [*found.paths()] == [Path(argument) for argument in found.arguments]


def test_an_archive_from_standard_input(write) -> None:
    content = zipped({"b.txt": TEXTS["b.txt"]})
    found = find_sources("-", stdin=io.BytesIO(content))
    assert found.sources[0].open().read(10) == TEXTS["b.txt"][:10]


def damaged_in_its_data() -> bytes:
    content = bytearray(zipped({"b.txt": TEXTS["b.txt"]}))
    content[45] ^= 0xFF
    return bytes(content)


def encrypted() -> bytes:
    content = bytearray(zipped({"b.txt": TEXTS["b.txt"]}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


def nameless() -> bytes:
    return zipped({"bb": TEXTS["b.txt"], "c.txt": b"text"}).replace(b"bb", b"\0b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            nameless(),
            r"^a.zip is damaged or cut short \(a file in it has no name\); copy or download the archive again$",
        ),
        (
            zipped(TEXTS)[:-10],
            r"^a.zip is damaged or cut short \(File is not a zip file\); copy or download the archive",
        ),
        (b"PK\x03\x04 cut short", r"^a.zip is damaged or cut short"),
        (damaged_in_its_data(), r"^b.txt in a.zip is damaged or cut short \(.+\); copy or download the archive again$"),
        (encrypted(), r"^b.txt in a.zip is encrypted, which charlm can't read; unpack .* first: unzip -d a \S+/a.zip$"),
        (
            zipped(TEXTS, zipfile.ZIP_LZMA),
            r"^a/b/c.txt in a.zip is packed by an unusual method, which charlm can't read; ",
        ),
        (
            zipped({"a.gz": gzip.compress(b"text")}),
            r"left out: 1 compressed inside the archive \(a.gz\)\); give one with",
        ),
        (zipped({"a/b.zip": zipped(TEXTS)}), r"^zip archive \S+ holds no text file \(left out: 1 not text \(a/b.zip\)"),
        (
            zipped({"a/": b""}),
            r"^zip archive \S+/a.zip holds no text file; give one with .txt, .md or other text in it$",
        ),
        (zipped({}), r"^zip archive \S+/a.zip holds no text file; "),
        (zipped({"word/document.xml": b"<a/>"}), r"^a.zip is a Word document, not a text; "),
    ],
)
def test_an_archive_that_cannot_be_read_is_an_error(write, content: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        open_corpus(write(content, "a.zip"), CorpusConfig())


def test_a_bomb_is_refused_before_it_is_unpacked(write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(zipped({"a.txt": b"a" * 3_000_000}), "a.zip")
    assert open_corpus(path, CorpusConfig()).bytes == 3_000_000
    monkeypatch.setattr(zip_archive, "SMALL", 1_000_000)
    with pytest.raises(CorpusError, match=r"^a.zip would grow to 3,000,000 bytes, more than 500 times its"):
        open_corpus(path, CorpusConfig())


def test_names_outside_the_archive_write_nothing(write, tmp_path: Path) -> None:
    folder = write(zipped({"../../b.txt": TEXTS["b.txt"], "/c.txt": TEXTS["b.txt"]}), "deep/er/a.zip").parent
    assert open_corpus(folder / "a.zip", CorpusConfig()).files == 2
    assert not [*tmp_path.rglob("?.txt")] and not Path("/c.txt").exists()


def test_a_file_in_an_archive_is_no_argument(write) -> None:
    path = write(zipped(TEXTS), "a.zip")
    with pytest.raises(CorpusError, match=r"a.zip is a file, not a folder; all texts .*: unzip -p \S+ a/z.md > z.md$"):
        find_sources(path / "a/z.md")
    with pytest.raises(CorpusError, match=r"b.txt is a file, not a folder$"):
        find_sources(write("text", "b.txt") / "c.txt")
