"""Mixes of options and values for every command: it ends with a result, an error of one line, or the usage."""

import contextlib
import shutil
import webbrowser
from pathlib import Path

import pytest
from cases import cases, require_finite, run_command
from command_lines import COMMANDS, command_line

from charlm import api

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def folder(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with three small runs, a direction, and texts of all kinds."""
    folder = tmp_path_factory.mktemp("options")
    for name, direction in (("two", "forward"), ("back", "backward")):
        api.train_run(
            sound / "text.txt",
            run=folder / "runs" / name,
            corpus={"direction": direction},
            model={"hidden_size": 5, "embedding_size": 4, "ngram_order": 2},
            training={"steps": 4, "batch_size": 2, "seq_len": 8, "validations": 2, "threads": 1},
            auto=False,
        )
    shutil.copytree(sound / "run", folder / "runs" / "one")
    for name in ("text.txt", "mood.safetensors"):
        shutil.copyfile(sound / name, folder / name)
    (folder / "lines.txt").write_text("the cat\nthe dog\n" * 6)
    (folder / "labelled.tsv").write_text(
        "".join(f"the {word} {n}\t{n % 2}\n" for n in range(24) for word in ("cat", "d"))
    )
    (folder / "folder").mkdir()
    (folder / "folder" / "a.txt").write_text("the cat and the dog\n" * 9)
    (folder / "folder" / "b.pdf").write_bytes(b"%PDF-1.4\n")
    (folder / "empty.txt").touch()
    (folder / "binary.bin").write_bytes(bytes(range(256)) * 9)
    (folder / "dangling").symlink_to("nothing")
    return folder


OFTEN = ["train", "sample", "eval"]


@pytest.mark.parametrize("command", [*OFTEN, "others"])
def test_options_of_commands(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    commands = sorted(COMMANDS.keys() - OFTEN) if command == "others" else [command]
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with contextlib.suppress(ImportError):  # without the extra `web`
        monkeypatch.setattr("uvicorn.Server.run", lambda server, sockets: None)  # it would serve until Ctrl-C
    (tmp_path / "home").mkdir()
    for name, chance in cases(f"options of {command}"):
        work = tmp_path / "case" / "work"
        shutil.copytree(folder, work, symlinks=True)
        monkeypatch.chdir(work)
        chosen = chance.choice(commands)
        ended = run_command(name, command_line(chosen, chance), chance.choice([b"", b"the cat\n" * 20, b"\xff\0"]))
        if ended.status == 0 and chosen in ("eval", "compare", "curves", "runs", "info"):
            require_finite(name, ended)
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(tmp_path / "case")
