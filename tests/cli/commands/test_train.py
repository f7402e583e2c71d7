"""The commands as a user types them: what they print where, and how they end."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TEXT
from typer.testing import CliRunner

from charlm import __version__
from charlm.cells import CELLS
from charlm.cli.app import app

SMALL = ["--steps", "30", "--hidden", "16", "--batch-size", "4", "--seq-len", "16", "--validations", "3"]


def charlm(*arguments: object, status: int = 0, stdin: bytes | None = None):
    """Run a command in this process; its result, with stdout and stderr apart."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def failed(*arguments: object, status: int = 1) -> str:
    """The one line that a user's mistake prints."""
    result = charlm(*arguments, status=status)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith(("note:", "using"))]
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


@pytest.fixture
def text(write) -> Path:
    return write(TEXT)


@pytest.fixture
def run(text: Path) -> str:
    """A small trained run."""
    charlm("train", text, "--run", "first", *SMALL)
    return "runs/first"


def test_train_then_sample_then_eval(text: Path) -> None:
    trained = charlm("train", text, *SMALL)
    assert trained.stdout == ""
    assert "validation" in trained.stderr and "charlm sample runs/text" in trained.stderr
    sampled = charlm("sample", "--prefix", "The ", "--length", "20", status=1)
    assert "character 'T' (U+0054) at position 0" in sampled.stderr
    sampled = charlm("sample", "--prefix", "the ", "--length", "20", "--seed", "1")
    assert sampled.stdout.startswith("the ") and sampled.stdout.endswith("\n")
    assert "using runs/text/model.safetensors" in sampled.stderr
    assert "bits per character" in charlm("eval").stdout


def test_train_prints_one_json_object(text: Path) -> None:
    values = json.loads(charlm("train", text, "--json", *SMALL).stdout)
    assert values["finished"] is True and values["step"] == 30 and Path(values["model"]).is_file()


def test_train_reads_standard_input() -> None:
    charlm("train", "-", *SMALL, stdin=TEXT.encode())
    assert Path("runs/stdin/model.safetensors").is_file()
    charlm("eval", "stdin")
    charlm("train", "--resume", "--steps", "40")


def test_options_reach_the_model_file(text: Path) -> None:
    options = "--cell gru --layers 2 --embedding 5 --dropout 0.25 --clip 0.5 --weight-decay 0.2 --learning-rate 0.01"
    charlm("train", text, *SMALL, *options.split(), "--seed", "7", "--threads", "1", "--forget-bias", "2")
    values = json.loads(charlm("info", "--json").stdout)
    assert values["model"]["cell"] == "gru"
    expected = {"num_layers": 2, "embedding_size": 5, "dropout": 0.25, "hidden_size": 16, "forget_bias": 2.0}
    assert values["model"] | expected == values["model"]
    settings = values["training"]["config"]
    expected = {"clip": 0.5, "weight_decay": 0.2, "learning_rate": 0.01, "seed": 7, "threads": 1, "seq_len": 16}
    assert settings | expected == settings


def test_info_tells_how_a_model_was_made(run: str) -> None:
    shown = " ".join(charlm("info", run).stdout.split())
    for part in (
        "lstm, 1 x 16",
        "c = f * c' + i * g",
        "char",
        "30 steps",
        "sha256",
        "validation",
        "charlm " + __version__,
    ):
        assert part in shown
    values = json.loads(charlm("info", run, "--json").stdout)
    assert values["corpus"]["characters"] == len(TEXT)
    assert values["corpus"]["boundaries"] == [int(len(TEXT) * 0.9), int(len(TEXT) * 0.95), len(TEXT)]


def test_eval_json_has_every_figure(run: str) -> None:
    values = json.loads(charlm("eval", run, "--json").stdout)
    wanted = (
        "tokens characters bytes unknown_characters nats nats_per_token perplexity bits_per_character bits_per_byte"
    )
    assert set(wanted.split()) <= set(values)
    assert values["characters"] == len(TEXT) - int(len(TEXT) * 0.95)
    assert json.loads(charlm("eval", run, "--split", "train", "--json").stdout)["characters"] == int(len(TEXT) * 0.9)


def test_eval_compares_with_baselines(text: Path) -> None:
    charlm("train", text, "--run", "alone", "--ngram-order", "0", *SMALL)
    run = "alone"
    values = json.loads(charlm("eval", run, "--json").stdout)
    assert list(values["baselines"]) == ["ngram", "unigram", "uniform", "gzip", "xz"]
    assert 1 <= values["baselines"]["ngram"]["order"] <= 8
    tokens, characters = values["tokens"], values["characters"]
    symbols = len(set(TEXT[: int(len(TEXT) * 0.9)])) + 2  # EOS and <unk>, but not BOS
    uniform = values["baselines"]["uniform"]["bits_per_character"]
    assert uniform == pytest.approx(tokens * math.log2(symbols) / characters)
    shown = charlm("eval", run).stdout
    for name, figures in values["baselines"].items():
        label = f"n-gram of order {figures['order']}" if name == "ngram" else name
        assert re.search(rf"^{label} +{figures['bits_per_character']:.4f}$", shown, re.MULTILINE), shown
    assert re.search(rf"^this network +{values['bits_per_character']:.4f}$", shown, re.MULTILINE), shown
    bits = [float(line.split()[-1]) for line in shown.split("bits per character")[2].splitlines()[1:7]]
    assert bits == sorted(bits)
    assert values["baselines"]["ngram"]["bits_per_character"] < values["bits_per_character"]
    assert "predicts this text better than the network" in shown
    again = json.loads(charlm("eval", run, text, "--split", "test", "--json").stdout)
    assert again["baselines"] == values["baselines"]


def test_eval_says_nothing_of_an_ngram_that_loses(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from charlm import loaded
    from charlm.evaluation.baselines import Baseline

    monkeypatch.setattr(
        loaded, "measure_baselines", lambda *_, **__: {"ngram": Baseline(nats=9e9, characters=9, order=3)}
    )
    shown = charlm("eval", run).stdout
    assert "n-gram of order 3" in shown and "predicts this text better" not in shown


def test_eval_without_baselines(run: str, text: Path, write) -> None:
    assert json.loads(charlm("eval", run, "--no-baselines", "--json").stdout)["baselines"] == {}
    assert "n-gram" not in charlm("eval", run, "--no-baselines").stdout
    for arguments in (["--split", "train"], [text]):
        result = charlm("eval", run, *arguments, "--json")
        assert json.loads(result.stdout)["baselines"] == {}
        assert "note: no baselines: they know the training split by heart\n" in result.stderr
    other = write("cat and the dog\n", "other.txt")
    assert len(json.loads(charlm("eval", run, other, "--json").stdout)["baselines"]) == 5
    shutil.copy(f"{run}/model.safetensors", "model.safetensors")
    result = charlm("eval", "model.safetensors", other, "--json")
    assert json.loads(result.stdout)["baselines"] == {} and "lies outside its run folder" in result.stderr
    text.write_text(TEXT + "more")
    result = charlm("eval", run, other)
    assert "bits per character" in result.stdout and "n-gram" not in result.stdout
    assert "note: no baselines: the text text has changed since the model was trained on it\n" in result.stderr


def test_eval_of_a_text(run: str, write) -> None:
    other = write("cat and the dog\n", "other.txt")
    values = json.loads(charlm("eval", run, other, "--json").stdout)
    assert (values["characters"], values["documents"], values["unknown_characters"]) == (16, 1, 0)
    assert json.loads(charlm("eval", other, "--json").stdout)["nats"] == values["nats"]
    lines = json.loads(charlm("eval", run, other, other, "--documents", "line", "--json").stdout)
    assert (lines["characters"], lines["documents"]) == (30, 2)


def test_eval_takes_validation_where_there_is_no_test_part(text: Path) -> None:
    charlm("train", text, "--splits", "90/10/0", *SMALL)
    assert json.loads(charlm("eval", "--json").stdout)["split"] == "valid"
    charlm("train", text, "--splits", "100/0/0", "--run", "all", *SMALL)
    assert "kept no text back" in failed("eval", "all")
    assert json.loads(charlm("eval", "all", "--split", "train", "--json").stdout)["characters"] == len(TEXT)
    assert "the valid split of text has nothing in it" in failed("eval", "all", "--split", "valid")


def test_sample_is_the_same_for_the_same_seed(run: str) -> None:
    one, two, three = (charlm("sample", run, "--seed", seed, "--length", 50).stdout for seed in (1, 1, 2))
    assert one == two != three
    greedy = {charlm("sample", run, "--seed", seed, "--temperature", 0).stdout for seed in (1, 2)}
    assert len(greedy) == 1


def test_sample_json(run: str) -> None:
    values = json.loads(
        charlm("sample", run, "--num", 3, "--seed", 5, "--length", 9, "--prefix", "cat", "--json").stdout
    )
    assert [value["seed"] for value in values] == [5, 6, 7]
    assert all(value["text"].startswith("cat") and value["ended"] in ("eos", "length") for value in values)
    second = charlm("sample", run, "--seed", 6, "--length", 9, "--prefix", "cat").stdout
    assert second.rstrip("\n") == values[1]["text"].rstrip("\n")


def test_sample_stops_at_a_text_with_escapes(run: str) -> None:
    text = charlm("sample", run, "--seed", 1, "--length", 500, "--stop", r"\n", "--prefix", "cat").stdout
    assert text.count("\n") == 1
    assert "only \\n, \\r, \\t and \\\\ are understood" in failed("sample", run, "--stop", r"\x")


@pytest.mark.parametrize("unknown", ["skip", "replace"])
def test_sample_goes_on_past_an_unknown_character_when_told(run: str, unknown: str) -> None:
    assert charlm("sample", run, "--prefix", "cät", "--unknown", unknown, "--length", 3).stdout.startswith("cät")


def test_line_documents_are_sampled_one_a_line(write) -> None:
    names = write("".join(f"ann{n}\nbob{n}\n" for n in range(99)), "names.txt")
    charlm("train", names, "--documents", "line", "--steps", "200", "--hidden", "16", "--splits", "90/5/5")
    assert len(charlm("sample", "--num", 4, "--seed", 1).stdout.splitlines()) == 4


def test_a_list_earns_a_hint(write) -> None:
    shown = charlm("train", write("".join(f"name{n}\n" for n in range(999))), *SMALL).stderr
    assert "note: text looks like a list of short lines; --documents line" in shown


def test_a_sorted_list_earns_a_hint(write) -> None:
    shown = charlm("train", write("".join(f"name{n:03}\n" for n in range(999))), "--documents", "line", *SMALL).stderr
    assert "note: the documents of text are in alphabetical order" in shown


def test_registered_names_bring_their_settings() -> None:
    charlm("train", "dishes", *SMALL)
    values = json.loads(charlm("info", "--json").stdout)["corpus"]
    assert values["config"]["documents"] == "line" and values["config"]["splits"] == [80, 10, 10]
    charlm("train", "dishes", "--documents", "file", "--splits", "90/5/5", "--run", "whole", *SMALL)
    values = json.loads(charlm("info", "whole", "--json").stdout)["corpus"]
    assert (values["config"]["documents"], values["documents"]) == ("file", 1)


def test_corpora_lists_them() -> None:
    assert "tinyshakespeare" in charlm("corpora").stdout
    entries = {entry["name"]: entry for entry in json.loads(charlm("corpora", "--json").stdout)}
    assert entries["hello"]["here"] is True and entries["tinyshakespeare"]["here"] is False


def test_cells_lists_them() -> None:
    shown = charlm("cells").stdout
    entries = {entry["name"]: entry for entry in json.loads(charlm("cells", "--json").stdout)}
    assert len(entries) == 15 and all(name in shown for name in entries)
    lstm = entries["lstm"]
    assert lstm["parameters"] == 4 * 256 * (32 + 256 + 1) and "c = f * c' + i * g" in lstm["equations"]
    assert "1997" in lstm["reference"]


def test_info_tells_what_charlm_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    values = json.loads(charlm("info", "--system", "--json").stdout)
    assert values["pointwise"] in ("compiled", "torch") and values["torch"].startswith("2.")
    assert values["bfloat16"] in ("none", "pairs", "matrices")
    monkeypatch.setattr("charlm.kernels.compiled.library", lambda functions, dtype: None)
    assert json.loads(charlm("info", "--system", "--json").stdout)["pointwise"] == "torch"
    assert "pointwise" in charlm("info", "--system").stdout


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_resumes_samples_and_is_scored(text: Path, cell: str) -> None:
    charlm("train", text, "--cell", cell, "--layers", 2, "--skip", "residual", "--skip-steps", 3, *SMALL)
    charlm("train", "--resume", "--steps", 40)
    assert charlm("sample", "--length", 5, "--prefix", "cat").stdout.startswith("cat")
    assert json.loads(charlm("eval", "--json").stdout)["nats"] > 0
    assert json.loads(charlm("info", "--json").stdout)["model"]["cell"] == cell


def test_resume_and_overwrite(text: Path, run: str) -> None:
    assert "is not empty; go on with --resume" in failed("train", text, "--run", "first", *SMALL)
    assert "40 steps" in charlm("train", text, "--resume", "--run", "first", "--steps", "40").stderr
    assert "--resume goes on with the run's own settings" in failed("train", "--resume", "--hidden", "20")
    charlm("train", text, "--overwrite", "--run", "first", *SMALL)


def test_separators(write) -> None:
    text = write("one two%%\nthree four%%\n" * 60)
    charlm("train", text, "--separator", r"%%\n", *SMALL)
    assert json.loads(charlm("info", "--json").stdout)["corpus"]["documents"] == 120
    assert "give one of them" in failed("train", text, "--separator", "%", "--documents", "line")


def test_version_and_help() -> None:
    assert charlm("--version").stdout.strip() == f"charlm {__version__}"
    for command in ("train", "sample", "eval", "info", "corpora"):
        shown = charlm(command, "--help").stdout
        assert "Example" in shown, command


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "charlm", *arguments]


def test_help_needs_no_torch() -> None:
    code = "import sys; from charlm.cli.app import app; print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"


def test_ctrl_c_saves_and_says_how_to_go_on(text: Path) -> None:
    process = subprocess.Popen(
        command("train", str(text), "--run", "runs/a", "--epochs", "1000", "--hidden", "16"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not Path("runs/a/metrics.jsonl").exists() or not Path("runs/a/metrics.jsonl").stat().st_size:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert "saved at step" in stderr and "charlm train --resume --run runs/a" in stderr
    assert "Traceback" not in stderr
    step = int(stderr.rpartition("saved at step ")[2].partition(";")[0].replace(",", ""))
    charlm("train", "--resume", "--steps", step + 20)


def test_a_reader_who_leaves_is_no_error(run: str) -> None:
    sampled = subprocess.run(
        f"{sys.executable} -m charlm sample {run} --length 100000 --num 50 | head -c 10",
        shell=True,
        capture_output=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        timeout=120,
    )
    assert len(sampled.stdout) == 10 and b"Traceback" not in sampled.stderr and b"rror" not in sampled.stderr
