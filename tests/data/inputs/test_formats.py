import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.data.encoding import read_utf8
from charlm.errors import CorpusError


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "text")
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a b.tar", tar(), r"a tar archive, not a text; .*: tar -xf '\S+/a b.tar'$"),
        (
            "a.docx",
            zipped("word/document.xml"),
            r"a Word document, .*: pandoc -t plain -o a.txt \S+/a.docx$",
        ),
        ("a.pdf", b"%PDF-1.4\n%\xe2\xe3", r"a PDF document, not a text; .*: pdftotext \S+/a.pdf a.txt$"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a picture, not a text; save it as plain text and name that file$"),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_a_file_that_is_no_text_is_named_as_what_it_is(
    charlm, write: Callable[..., Path], name: str, data: bytes, expected: str, errors: str
) -> None:
    path = write(data, name)
    with pytest.raises(CorpusError, match=expected):
        read_utf8(str(path))
    failed = charlm("train", path, "--errors", errors, status=1)
    assert failed.stderr.startswith(f"error: {name} is {expected.split(',')[0]}")


@pytest.mark.parametrize("text", ["BZhang wrote", "PK\u0663", "%PD"])
def test_a_text_may_begin_like_one(write: Callable[..., Path], text: str) -> None:
    assert read_utf8(str(write(text))) == text


def test_a_zip_archive_is_no_single_text(write: Callable[..., Path]) -> None:
    with pytest.raises(CorpusError, match=r"a.zip is a zip archive, not a text; .*: unzip -d a \S+/a.zip$"):
        read_utf8(str(write(zipped("a.txt"), "a.zip")))


@pytest.mark.parametrize("data", [tar(), zipped("a.txt"), b"%PDF-1.4\n%\xe2\xe3"])
def test_standard_input_that_is_no_text(charlm, trained_run, data: bytes) -> None:
    failed = charlm("score", trained_run(), "-", stdin=data, status=1)
    assert failed.stderr.startswith("error: stdin is a ") and failed.stderr.count("\n") == 1
    assert failed.stderr.endswith("not a text; name the file instead, or make a text of it first\n")
