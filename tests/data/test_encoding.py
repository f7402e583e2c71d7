import io
import os
import threading
from pathlib import Path

import pytest

from charlm.data import encoding
from charlm.data.encoding import read_utf8
from charlm.errors import CorpusError


def test_a_byte_order_mark_is_dropped(corpus_of) -> None:
    assert "".join(corpus_of(b"\xef\xbb\xbfhello", splits=(100, 0, 0)).split_texts("train")) == "hello"
    text = "hello \ufeff"
    assert "".join(corpus_of(text.encode("utf-16"), splits=(100, 0, 0), encoding="utf-16").split_texts("train")) == text


@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_invalid_utf8_is_named_with_its_offset(corpus_of, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(encoding, "CHUNK", chunk)
    with pytest.raises(CorpusError, match=r"byte 0xff at byte offset 7 is not valid utf-8; .*--errors replace"):
        corpus_of("héllo ".encode() + b"\xffx")
    with pytest.raises(CorpusError, match="byte offset 5"):
        corpus_of(b"hello\xc3")
    assert "".join(corpus_of(b"a\xffb", errors="replace", splits=(100, 0, 0)).split_texts("train")) == "a\ufffdb"


def test_nul_is_no_text(corpus_of) -> None:
    with pytest.raises(CorpusError, match="NUL at character offset 3"):
        corpus_of(b"abc\0def")
    assert "".join(corpus_of(b"a\0b", errors="replace", splits=(100, 0, 0)).split_texts("train")) == "a\ufffdb"


@pytest.mark.parametrize("name", ["klingon", "base64", "hex", "rot13", "zlib", "undefined", "", "a\0b"])
def test_an_unknown_encoding_is_an_error(corpus_of, name: str) -> None:
    with pytest.raises(CorpusError, match=r"--encoding .* is not a known text encoding; try utf-8"):
        corpus_of("hello", encoding=name)


def test_a_codec_that_gives_no_text_is_an_error(corpus_of) -> None:
    with pytest.raises(CorpusError, match=r"text.txt is not valid punycode \(.+\); it looks like utf-8: pass"):
        corpus_of(b"abc-99999", encoding="punycode")
    escaped = rb"caf\u00e9 \ud800!"
    with pytest.raises(CorpusError, match=r"a lone surrogate \(U\+D800\) at character offset 5"):
        corpus_of(escaped, encoding="unicode_escape")
    replaced = corpus_of(escaped, encoding="unicode_escape", errors="replace", splits=(100, 0, 0))
    assert "".join(replaced.split_texts("train")) == "café \ufffd!"


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf16_is_recognised_by_its_mark(corpus_of, name: str) -> None:
    with pytest.raises(CorpusError, match="at byte offset 0 is not valid utf-8; it looks like utf-16: pass --encoding"):
        corpus_of("\ufeffпривет".encode(name))


RUSSIAN = "Привет, мир. Это короткий текст.\n" * 40
QUOTED = "It’s a “quoted” café – don’t worry.\n" * 40


@pytest.mark.parametrize(
    ("data", "given", "likely"),
    [
        ("\ufeff".encode("utf-32-le") + RUSSIAN.encode("utf-32-le"), "utf-8", "utf-32"),
        ("\ufeff".encode("utf-32-le") + RUSSIAN.encode("utf-32-le"), "utf-16", "utf-32"),
        (RUSSIAN.encode("utf-16-le"), "utf-8", "utf-16-le"),
        (RUSSIAN.encode("utf-16-le"), "utf-16", "utf-16-le"),
        (RUSSIAN.encode("utf-16-be"), "utf-8", "utf-16-be"),
        (RUSSIAN.encode("cp1251"), "utf-8", "cp1251"),
        (RUSSIAN.encode("koi8-r"), "utf-8", "koi8-r"),
        (RUSSIAN.encode(), "ascii", "utf-8"),
        (QUOTED.encode("cp1252"), "utf-8", "cp1252"),
        (b"plain English\n" * 100_000 + QUOTED.encode("cp1252"), "utf-8", "cp1252"),
    ],
)
def test_the_likely_encoding_is_named_and_works(corpus_of, data: bytes, given: str, likely: str) -> None:
    with pytest.raises(CorpusError, match=rf"^text.txt.*; it looks like {likely}: pass --encoding {likely}$"):
        corpus_of(data, encoding=given)
    text = "".join(corpus_of(data, encoding=likely, splits=(100, 0, 0)).split_texts("train"))
    assert text.endswith((RUSSIAN, QUOTED))


@pytest.mark.parametrize("data", [RUSSIAN.encode() + b"\xff" + RUSSIAN.encode(), bytes(range(128, 256)) * 20])
def test_no_encoding_is_named_for_a_damaged_text(corpus_of, data: bytes) -> None:
    with pytest.raises(CorpusError, match=r"; name another with --encoding, or pass --errors replace$"):
        corpus_of(data)


def test_a_file_that_has_no_encoding_option_is_converted() -> None:
    with pytest.raises(CorpusError, match=r"byte 0x92 at byte offset 2; it looks like cp1252; convert it: iconv -f "):
        read_utf8("text.txt", io.BytesIO(QUOTED.encode("cp1252")))
    with pytest.raises(CorpusError, match=r"NUL at byte offset 13, .*: iconv -f utf-16le -t utf-8 t.txt > t.utf8.txt$"):
        read_utf8("t.txt", io.BytesIO(RUSSIAN.encode("utf-16-le")))
    with pytest.raises(CorpusError, match=r"convert it: iconv -f cp1252 -t utf-8$"):
        read_utf8("-", io.BytesIO(QUOTED.encode("cp1252")))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_is_read_without_its_byte_order_mark(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes((mark + "né\r\n").encode())
    assert read_utf8(str(path)) == "né\r\n"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert read_utf8("-") == "piped"
    assert read_utf8("-", io.BytesIO(b"another stream")) == "another stream"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_a_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"piped",))
    writer.start()
    assert read_utf8(str(tmp_path / "pipe")) == "piped"
    writer.join()


def test_a_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CorpusError, match="closed"):
        read_utf8("-")


@pytest.mark.parametrize(("data", "offset"), [(b"ab\xff", 2), (b"\xef\xbb\xbfab\xff", 5)])
def test_an_error_gives_the_byte_and_its_offset_in_the_file(data: bytes, offset: int) -> None:
    with pytest.raises(CorpusError, match=f"^text.txt is not valid UTF-8: byte 0xff at byte offset {offset};"):
        read_utf8("text.txt", io.BytesIO(data))
    with pytest.raises(CorpusError, match=r"^standard input is not"):
        read_utf8("-", io.BytesIO(data))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="can't be read: No such file"):
        read_utf8(str(tmp_path / "none"))
