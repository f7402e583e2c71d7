import bz2
import gzip
import io
import lzma
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


GZIP = gzip.compress(b"text", mtime=0)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        (
            "a.txt.gz",
            GZIP,
            r"a gzip archive, not a text; .*: gunzip -c \S+/a.txt.gz > a.txt$",
        ),
        (
            "a b.gz",
            GZIP,
            r"a gzip archive, not a text; .*: gunzip -c '\S+/a b.gz' > 'a b.txt'$",
        ),
        ("a", GZIP, r"a gzip archive, not a text; .*: gunzip -c \S+/a > a.txt$"),
        ("a.bz2", bz2.compress(b"text"), "a bzip2 archive"),
        ("a.xz", lzma.compress(b"text"), "an xz archive"),
        ("a.zip", zipped("a.txt"), r"a zip archive, not a text; .*: unzip -d a \S+/a.zip$"),
        (
            "a.docx",
            zipped("word/document.xml"),
            r"a Word document, .*: pandoc -t plain -o a.txt \S+/a.docx$",
        ),
        ("a.zip", b"PK\x03\x04 cut short", "a zip archive"),
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
