"""Arguments that look right and aren't, names with odd characters, and what is said about them."""

import json
import shlex
from pathlib import Path

import pytest
from conftest import TEXT
from test_commands import SMALL, charlm, failed


@pytest.fixture(autouse=True)
def trained(write) -> Path:
    """A text and a run of it that is called first."""
    text = write(TEXT)
    charlm("train", text, "--run", "first", *SMALL)
    return text


def test_a_run_that_is_over_says_so(trained: Path) -> None:
    assert "run runs/first is over: it has had 30 of --steps 30; to go on give a larger --steps" in failed(
        "train", "--resume"
    )


def test_too_few_minutes_are_an_error(trained: Path) -> None:
    assert "reading the text took all of --minutes 0.0001; give more" in failed("train", trained, "--minutes", "0.0001")


def test_overwriting_needs_a_name(trained: Path) -> None:
    assert "pass --run too" in failed("train", trained, "--overwrite", *SMALL)


def test_eval_says_that_a_name_is_neither_model_nor_text(trained: Path) -> None:
    said = failed("eval", "frist", trained)
    assert "no model and no run is called 'frist', and there is no file or folder 'frist'" in said
    assert "did you mean the named corpus dishes?" in failed("eval", "dihes")


def test_eval_knows_a_model_by_its_content(trained: Path) -> None:
    Path("weights.bin").write_bytes(Path("runs/first/model.safetensors").read_bytes())
    values = json.loads(charlm("eval", "weights.bin", trained, "--json").stdout)
    assert (values["model"], values["text"]) == ("weights.bin", str(trained))


def test_names_are_no_markup(write) -> None:
    text = write(TEXT, "[b]x[.txt")
    charlm("train", text, "--run", ":dog:[/b]", *SMALL)
    for command in ("info", "eval"):
        shown = charlm(command, ":dog:[/b]").stdout
        assert "[b]x[" in shown, shown
    assert ":dog:[/b]/model.safetensors" in charlm("info", ":dog:[/b]").stdout
    assert "[/b]x.txt" in charlm("eval", write(TEXT, "[/b]x.txt")).stdout


def test_commands_to_go_on_with_can_be_pasted(trained: Path) -> None:
    shown = charlm("train", trained, "--run", "my run", *SMALL).stderr
    words = shlex.split(shown.rpartition("next: ")[2].replace(",", " "))
    assert words == ["charlm", "sample", "runs/my run", "charlm", "eval", "runs/my run"]


def test_a_small_validation_split_earns_a_note(trained: Path) -> None:
    shown = charlm("train", trained, *SMALL, "--splits", "98/1/1").stderr
    assert "note: the validation split has only" in shown
    assert "validation split has only" not in charlm("train", trained, *SMALL, "--splits", "80/10/10").stderr
