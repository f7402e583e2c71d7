"""Files that commands write: they replace neither an input nor a file of the user's."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def letter(run: str, write) -> Path:
    """A text to read, in the working folder, beside a run."""
    return Path(shutil.copy(write("cat and the cat, a 3 of cats.\n" * 40, "letter.txt"), "letter.txt"))


OUTPUTS = {
    "heatmap": (["heatmap", "letter.txt", "--html"], "out.html"),
    "comparison": (["compare", "first", "first", "letter.txt", "--html"], "out.html"),
    "neurons page": (["neurons", "letter.txt", "--tokens", "1200", "--html"], "out.html"),
    "neurons plot": (["neurons", "letter.txt", "--tokens", "1200", "--plot"], "out.svg"),
    "features": (["features", "letter.txt", "--out"], "out.npy"),
    "curves": (["curves", "--plot"], "out.pdf"),
    "diagnose": (["diagnose", "letter.txt", "--steps", "0", "--lags", "2", "--cells", "rnn", "--plot"], "out.png"),
}


@pytest.mark.usefixtures("letter")
@pytest.mark.parametrize(("command", "name"), OUTPUTS.values(), ids=OUTPUTS)
def test_a_file_of_the_users_is_kept(charlm, failed, command: list[str], name: str) -> None:
    Path(name).write_text("mine")
    foreign = "" if name == "out.npy" else " and doesn't appear to have been written by charlm"
    assert f"which already exists{foreign}; choose another file" in failed(*command, name)
    assert Path(name).read_text() == "mine"
    charlm(*command, name, "--overwrite")
    written = Path(name).read_bytes()
    assert written != b"mine"
    if name == "out.npy":  # which has no room for charlm's mark
        assert "which already exists; choose another file" in failed(*command, name)
    else:
        charlm(*command, name)


@pytest.mark.parametrize(
    "command",
    [
        ["heatmap", "runs/first", "letter.txt", "--html"],
        ["compare", "first", "first", "letter.txt", "--html"],
        ["neurons", "runs/first", "letter.txt", "--html"],
        ["features", "runs/first", "letter.txt", "--out"],
    ],
    ids=lambda command: command[0],
)
def test_no_input_is_replaced(failed, letter: Path, command: list[str]) -> None:
    Path("link.txt").symlink_to(letter)
    for name in ("letter.txt", "./letter.txt", "link.txt", "runs/first/model.safetensors"):
        said = failed(*command, name, "--overwrite")
        assert "which is also an input; choose another file" in said
    assert letter.read_text().startswith("cat and")


@pytest.mark.parametrize("options", [[], ["--overwrite"]], ids=["plain", "overwrite"])
def test_an_output_replaces_no_link_and_no_pipe(failed, letter: Path, options: list[str]) -> None:
    os.mkfifo("pipe")
    Path("other").symlink_to("pipe")
    for name, kind in (("pipe", "is not a regular file"), ("other", "is a symbolic link")):
        for command in (["features", "letter.txt", "--out"], ["compress", "letter.txt", "-o"]):
            assert f"--out is '{name}', which {kind}; give another file name" in failed(*command, name, *options)
    assert Path("pipe").is_fifo() and Path("other").is_symlink()


def test_a_folder_of_texts_is_no_place_for_an_output(failed, letter: Path) -> None:
    Path("texts").mkdir()
    shutil.copy(letter, "texts/a.txt")
    said = failed("features", "texts", "--out", "texts/a.txt", "--overwrite")
    assert "which is also an input" in said


def test_a_loop_of_links_is_no_output(failed, letter: Path) -> None:
    Path("texts").mkdir()
    shutil.copy(letter, "texts/a.txt")
    Path("loop").symlink_to("loop")
    assert "--out is 'loop', which is a symbolic link" in failed("features", "texts", "--out", "loop")


def test_the_home_folder_is_found(charlm, letter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    charlm("heatmap", letter, "--html=~/page.html")
    assert (tmp_path / "page.html").exists() and not Path("~").exists()


def test_a_direction_replaces_nothing_but_a_direction(charlm, failed, planted, write) -> None:
    pytest.importorskip("sklearn")
    planted.save(Path("runs/a/model.safetensors"))
    good, bad = (write("\n".join(planted.texts(label, 60, 1)), label) for label in ("positive", "negative"))
    command = ["probe", "--positive", good, "--negative", bad, "--name", "mood"]
    path = Path("runs/a/directions/mood.safetensors")
    charlm(*command)
    charlm(*command)
    path.write_text("mine")
    assert "it won't be replaced. Choose another name with --name, or add --overwrite" in failed(*command)
    assert path.read_text() == "mine"
    charlm(*command, "--overwrite")
