"""Texts, arguments and files that can't be used: one line, and nothing is left behind."""

import shutil
from pathlib import Path

import pytest

BAD_TEXTS = {
    "empty": (b"", "contains no text; give a file that isn't empty"),
    "white space": (b" \n\t\r\n" * 50, "bad.txt: contains only white space; give a file with text"),
    "one character": (
        b"x",
        "the train split of bad is empty (documents: 1, characters: 1); give a longer text",
    ),
    "invalid UTF-8": (
        b"caf\xe9 \n" * 50,
        "byte 0xe9 at byte offset 3 is not valid utf-8; it looks like cp1252: pass --encoding cp1252",
    ),
    "NUL": (b"abc\0" * 50, "NUL at character offset 3"),
    "nothing to validate on": (b"ab", "the valid split of bad is empty"),
}


@pytest.mark.parametrize(("content", "said"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_text_is_one_line_and_leaves_nothing(failed, brief: list[str], write, content: bytes, said: str) -> None:
    assert said in failed("train", write(content, "bad.txt"), *brief)
    assert not Path("runs").exists()


BAD_ARGUMENTS = {
    "a missing file": ("train nowhere.txt", "no file or folder 'nowhere.txt'"),
    "no text": ("train", "no text given; name a file"),
    "no run to resume": ("train --resume", "no trained run in runs/ here"),
    "splits in words": ("train hello --splits most", "--splits is 'most'; give three percentages, such as 90/5/5"),
    "splits over 100": ("train hello --splits 90/20/5", "give three shares in per cent that add up to 100"),
    "dropout": ("train hello --dropout 1.5", "--dropout is 1.5; it must be at least 0 and at most 0.95"),
    "steps": ("train hello --steps -3", "--steps is -3; it must be above 0"),
    "batch": ("train hello --batch-size 0", "--batch-size is 0"),
    "hidden": ("train hello --hidden 0", "--hidden is 0"),
    "cell": ("train hello --cell lsmt", "--cell is 'lsmt'; choose one of"),
    "threads": ("train hello --threads 0", "--threads is 0"),
    "encoding": ("train hello --encoding klingon", "--encoding 'klingon' is not a known text encoding"),
    "errors": ("train hello --errors maybe", "--errors is 'maybe'; choose one of strict, replace"),
    "vocabulary": ("train hello --tokenizer subword --vocab-size 5", "--vocab-size is 5"),
    "vocabulary without subwords": ("train hello --vocab-size 500", "needs --tokenizer subword or word"),
    "init from nothing": ("train hello --init-from nothing", "no model 'nothing'"),
    "no run to look into": ("info", "no trained run in runs/ here"),
    "no such run": ("sample nothing", "no model 'nothing'; give a model file"),
    "temperature": ("sample --temperature -1", "--temperature is -1"),
    "num": ("sample --num 0", "--num is 0"),
    "eval of no model": ("eval nothing.safetensors", "no model 'nothing.safetensors'"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line_and_leaves_nothing(failed, run: str, arguments: str, said: str) -> None:
    if "runs/ here" in said:
        Path(run).rename("elsewhere")
    before = sorted(path for path in Path().rglob("*"))
    assert said in failed(*arguments.split())
    assert sorted(path for path in Path().rglob("*")) == before


def test_a_folder_without_text_is_one_line(failed, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "holds no text file" in failed("train", tmp_path / "folder")


def test_a_model_that_is_damaged_is_one_line(failed, run: str) -> None:
    path = Path(run) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    for command in ("sample", "eval", "info"):
        assert "is damaged or cut short" in failed(command, run)


@pytest.mark.parametrize("arguments", [["train", "--no-such-option"], ["train", "--steps", "many"], ["frobnicate"]])
def test_a_wrong_usage_ends_with_status_2(charlm, arguments: list[str]) -> None:
    result = charlm(*arguments, status=2)
    assert result.stdout == "" and result.stderr.startswith("Usage: ") and "Error" in result.stderr


@pytest.mark.parametrize(
    "arguments", ["train --resume --run LONG", "train LONG --resume", "score first other --truth LONG"]
)
def test_what_is_too_long_for_a_name_is_one_line(failed, run: str, arguments: str) -> None:
    shutil.copytree(run, "runs/other")
    assert "x" * 300 in failed(*arguments.replace("LONG", "x" * 300).split())


def test_a_line_end_in_an_argument_stays_out_of_the_error(charlm) -> None:
    result = charlm("info", "a\nb", status=1)
    assert result.stderr.count("\n") == 1 and r"a\nb" in result.stderr
    result = charlm("sample", "one", "--model", "a\nb", status=1)
    assert result.stderr == "error: --model a\\nb and MODEL one both name the model; pass one of them\n"
