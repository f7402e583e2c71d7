import gzip
import os
from pathlib import Path

import pytest

from charlm.data.inputs.folder import looks_like_text, read_folder
from charlm.errors import CorpusError


@pytest.fixture
def notes(write) -> Path:
    """A folder with three texts and one of each kind of file that is left out."""
    for name in ("a.txt", "b.txt", "below/c.md"):
        folder = write(f"a note called {name}", f"notes/{name}").parent
    folder = folder.parent
    write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\nPDF", "notes/scan.pdf")
    write(gzip.compress(bytes(range(256)) * 20), "notes/data.txt")
    write("", "notes/empty.txt")
    (folder / "again.txt").symlink_to(folder / "b.txt")
    return folder


def test_a_pdf_does_not_stop_the_other_files(notes: Path) -> None:
    folder = read_folder(notes, "utf-8")
    assert [source.name for source in folder.sources] == ["a.txt", "b.txt", "below/c.md"]
    assert folder.summary() == (
        f"folder {notes}: reading 3 files (2 .txt, 1 .md); left out: 2 not text (data.txt, scan.pdf), 1 empty "
        "(empty.txt), 1 already read under another name (again.txt)"
    )


def test_a_file_without_permission_is_left_out_and_named(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refused(path: Path, *arguments: str):
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refused)
    assert ("unreadable", "a.txt") in read_folder(notes, "utf-8").left_out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_left_out_and_named(notes: Path) -> None:
    (notes / "below").chmod(0)
    try:
        assert ("unreadable", "below/") in read_folder(notes, "utf-8").left_out
    finally:
        (notes / "below").chmod(0o700)


def test_a_folder_without_text_says_what_is_in_it(write) -> None:
    folder = write("", "folder/empty.txt").parent
    with pytest.raises(CorpusError, match=r"holds no text file \(left out: 1 empty \(empty.txt\)\); give a folder"):
        read_folder(folder, "utf-8")


def test_text_in_any_encoding_looks_like_text() -> None:
    for start in ("naïve\r\n\f", "привет", "\x1b[1mbold"):
        assert looks_like_text(start.encode(), "utf-8")
    assert looks_like_text("привет".encode("utf-16"), "UTF_16") and not looks_like_text("ab".encode("utf-16"), "utf-8")
    assert looks_like_text("caf\xe9".encode("latin-1"), "utf-8")
