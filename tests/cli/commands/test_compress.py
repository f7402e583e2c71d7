"""`charlm compress` and `charlm decompress` as a user types them."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

DATA = b"cat and the cat, a 3 of cats.\r\n" * 20 + bytes(range(256))


@pytest.fixture
def letter(trained_run, write) -> Path:
    """A file in the working folder; the newest run is that of `trained_run`."""
    trained_run()
    return Path(shutil.copy(write(DATA, "letter.bin"), "letter.bin"))


def test_a_file_comes_back(charlm, letter: Path) -> None:
    shown = charlm("compress", letter)
    assert "using runs/a/model.safetensors" in shown.stderr
    assert f"wrote letter.bin.charlm: {len(DATA)} -> " in shown.stderr
    assert shown.stdout == ""
    letter.unlink()
    assert f" -> {len(DATA)} bytes" in charlm("decompress", "letter.bin.charlm").stderr
    assert letter.read_bytes() == DATA


@pytest.mark.parametrize("options", [["--dynamic"], ["--self-contained"], ["--no-portable"], ["--portable"]])
def test_with_each_option_a_file_comes_back(charlm, letter: Path, options: list[str]) -> None:
    figures = json.loads(charlm("compress", letter, "--model", "a", "-o", "x", *options, "--json").stdout)
    assert figures["bytes"] == len(DATA)
    assert figures["compressed_bytes"] == Path("x").stat().st_size
    assert figures["bits_per_byte"] == pytest.approx(8 * figures["compressed_bytes"] / len(DATA))
    if options == ["--self-contained"]:
        shutil.rmtree("runs")
    assert json.loads(charlm("decompress", "x", "-o", "back", "--json").stdout)["bytes"] == len(DATA)
    assert Path("back").read_bytes() == DATA


def test_a_missing_temporary_folder_is_one_line(charlm, failed, letter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    charlm("compress", letter, "--self-contained", "-o", "x")
    monkeypatch.setattr(tempfile, "tempdir", "nowhere")
    for command in (["compress", letter, "--self-contained"], ["decompress", "x"]):
        assert "error: can't write a temporary file: No such file or directory; free" in failed(*command, "-o", "y")
    assert not Path("y").exists()


def test_streams(charlm, letter: Path) -> None:
    archive = charlm("compress", "-", stdin=DATA).stdout_bytes
    assert charlm("compress", letter, "-o", "-").stdout_bytes == archive
    assert charlm("decompress", "-", stdin=archive).stdout_bytes == DATA


def test_an_empty_file(charlm, letter: Path) -> None:
    letter.write_bytes(b"")
    shown = charlm("compress", letter, "--json")
    assert json.loads(shown.stdout)["bits_per_byte"] is None and "note: letter.bin is empty\n" in shown.stderr
    charlm("decompress", "letter.bin.charlm", "-o", "back")
    assert Path("back").read_bytes() == b""


def test_nothing_is_replaced(charlm, failed, letter: Path) -> None:
    Path("mine").write_text("mine")
    for command in (["compress", letter], ["decompress", "letter.bin.charlm"]):
        assert "mine already exists; choose another file with -o" in failed(*command, "-o", "mine")
        assert Path("mine").read_text() == "mine"
        charlm(*command, "-o", f"other {command[0]}")
        charlm(*command, "-o", f"other {command[0]}", "--overwrite")
        for name in (command[1], "runs/a/model.safetensors"):
            assert "is also an input" in failed(*command, "-o", name, "--overwrite")
        charlm("compress", letter, "--overwrite")


def test_every_mistake_is_one_line(charlm, failed, letter: Path, trained_run) -> None:
    charlm("compress", letter)
    archive = Path("letter.bin.charlm").read_bytes()
    trained_run("runs/b", seed=2)
    cases = {
        ("compress", "nofile"): "there is no file 'nofile'; check the name",
        ("compress", "runs"): "runs is a folder; name a file, such as an archive of the folder made with tar",
        ("compress", ""): "the name of the file is empty",
        ("compress", letter, "-o", ".charlm"): "--out is '.charlm', which is only a suffix; give a name before it",
        ("decompress", ""): "the name of the file is empty",
        ("decompress", "runs.charlm"): "without -o, the result is 'runs', which is a folder; give a file name",
        ("decompress", ".charlm"): ".charlm is only the suffix .charlm, so its result has no name; give one with -o",
        ("decompress", "runs/.charlm"): "runs/.charlm is only the suffix .charlm, so its result has no name",
        ("compress", letter, "--portable", "--dynamic", "-o", "y"): "exclude each other",
        ("compress", letter, "-o", "-", "--json"): "--json and the result both go to standard output",
        ("decompress", letter): "doesn't end with .charlm",
        ("decompress", letter, "-o", "y"): "letter.bin: this is not a charlm archive",
        ("decompress", "letter.bin.charlm", "-m", "b", "-o", "y"): (
            "letter.bin.charlm: the archive was made with another model than runs/b/model.safetensors; pass --model"
        ),
        ("decompress", "cut.charlm"): "cut.charlm: the archive is damaged: it is cut short",
        ("decompress", "new.charlm"): "format version 9",
    }
    for name in (".charlm", "runs/.charlm", "runs.charlm"):
        Path(name).write_bytes(archive)
    Path("cut.charlm").write_bytes(archive[:-20])
    Path("new.charlm").write_bytes(archive[:4] + b"\x09" + archive[5:])
    before = sorted(Path().rglob("*"))
    for command, message in cases.items():
        assert message in failed(*command)
    assert sorted(Path().rglob("*")) == before


def test_an_empty_name_is_no_default(failed, letter: Path) -> None:
    assert "--out is empty, or '.', the current folder; give a file name" in failed("compress", letter, "-o", "")
    assert not Path("letter.bin.charlm").exists()
