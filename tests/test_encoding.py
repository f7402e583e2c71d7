import io
from pathlib import Path

import pytest

from charlm.data.encoding import read_utf8
from charlm.errors import CorpusError


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_is_read_without_its_byte_order_mark(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes((mark + "né\r\n").encode())
    assert read_utf8(str(path)) == "né\r\n"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert read_utf8("-") == "piped"
    assert read_utf8("-", io.BytesIO(b"another stream")) == "another stream"


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
