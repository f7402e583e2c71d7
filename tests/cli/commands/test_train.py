"""`charlm train` as a user types it."""

import json
import re
import shlex
import signal
from pathlib import Path

import pytest

from charlm import SampleConfig, load
from charlm.cells import CELLS


def test_a_trained_model_is_sampled_and_scored_next(charlm, text: Path, brief: list[str]) -> None:
    trained = charlm("train", text, *brief)
    assert trained.stdout == ""
    assert "validation" in trained.stderr and "charlm sample runs/text" in trained.stderr
    sampled = charlm("sample", "--prefix", "The ", "--length", "20", status=1)
    assert "character 'T' (U+0054) at position 0" in sampled.stderr
    sampled = charlm("sample", "--prefix", "the ", "--length", "20", "--seed", "1")
    assert sampled.stdout.startswith("the ") and sampled.stdout.endswith("\n")
    assert "using runs/text/model.safetensors" in sampled.stderr
    assert "bits per character" in charlm("eval").stdout


def test_train_prints_one_json_object(charlm, text: Path, brief: list[str]) -> None:
    values = json.loads(charlm("train", text, "--json", *brief).stdout)
    assert values["finished"] is True and values["step"] == 30 and Path(values["model"]).is_file()


def test_train_reads_standard_input(charlm, brief: list[str], sentences: str) -> None:
    charlm("train", "-", *brief, stdin=sentences.encode())
    assert Path("runs/stdin/model.safetensors").is_file()
    assert json.loads(charlm("eval", "stdin", "--split", "train", "--json").stdout)["characters"] == int(
        len(sentences) * 0.9
    )
    assert json.loads(charlm("train", "--resume", "--steps", "40", "--json").stdout)["step"] == 40


def test_options_reach_the_model_file(charlm, text: Path, brief: list[str]) -> None:
    options = "--cell gru --layers 2 --embedding 5 --dropout 0.25 --clip 0.5 --weight-decay 0.2 --learning-rate 0.01"
    charlm("train", text, *brief, *options.split(), "--seed", "7", "--threads", "1", "--forget-bias", "2")
    values = json.loads(charlm("info", "--json").stdout)
    assert values["model"]["cell"] == "gru"
    expected = {"num_layers": 2, "embedding_size": 5, "dropout": 0.25, "hidden_size": 16, "forget_bias": 2.0}
    assert values["model"] | expected == values["model"]
    settings = values["training"]["config"]
    expected = {"clip": 0.5, "weight_decay": 0.2, "learning_rate": 0.01, "seed": 7, "threads": 1, "seq_len": 16}
    assert settings | expected == settings


def test_selected_settings_are_shown_and_an_option_wins(charlm, text: Path, brief: list[str]) -> None:
    shown = charlm("train", text, *brief).stderr
    assert "auto-selected: " in shown and ", match on, recent on, " in shown
    assert "match" not in charlm("train", text, *brief, "--no-match", "--run", "without").stderr
    assert json.loads(charlm("info", "without", "--json").stdout)["model"]["match"] is False


def test_a_list_earns_a_hint(charlm, brief: list[str], write) -> None:
    shown = charlm("train", write("".join(f"name{n}\n" for n in range(999))), *brief).stderr
    assert "note: text looks like a list of short lines; use --documents line" in shown


def test_a_sorted_list_earns_a_hint(charlm, brief: list[str], write) -> None:
    shown = charlm("train", write("".join(f"name{n:03}\n" for n in range(999))), "--documents", "line", *brief).stderr
    assert "note: the documents of text are in alphabetical order" in shown


def test_registered_names_bring_their_settings(charlm, brief: list[str]) -> None:
    charlm("train", "dishes", *brief)
    values = json.loads(charlm("info", "--json").stdout)["corpus"]
    assert values["config"]["documents"] == "line" and values["config"]["splits"] == [80, 10, 10]
    charlm("train", "dishes", "--documents", "file", "--splits", "90/5/5", "--run", "whole", *brief)
    values = json.loads(charlm("info", "whole", "--json").stdout)["corpus"]
    assert (values["config"]["documents"], values["documents"]) == ("file", 1)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_resumes_samples_and_is_scored(
    charlm, text: Path, brief: list[str], cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = {"cell": cell, "num_layers": 2, "skip": "residual", "skip_steps": 3, "hidden_size": 16, "ngram_order": 0}
    options = ["--cell", cell, "--layers", 2, "--skip", "residual", "--skip-steps", 3, "--ngram-order", 0]
    charlm("train", text, *options, *brief)
    assert json.loads(charlm("train", "--resume", "--steps", 40, "--json").stdout)["step"] == 40
    told = json.loads(charlm("info", "--json").stdout)
    assert told["model"] | shape == told["model"]
    layers = sum(CELLS[cell].num_parameters(size, 16) for size in (32, 16))
    assert told["parameters"] == layers + told["model"]["vocab_size"] * (32 + 16 + 1)
    scored = json.loads(charlm("eval", "--json").stdout)
    assert scored["bits_per_character"] < scored["baselines"]["uniform"]["bits_per_character"]
    sampled = charlm("sample", "--length", 20, "--prefix", "cat", "--seed", 3).stdout
    model = load("runs/text")
    written = "".join(model.generate("cat", SampleConfig(length=20), seed=3))
    assert sampled.removesuffix("\n") == written.removesuffix("\n")
    for kernels in ("KERNELS", "TORCH_LAYERS", "STATE_KERNELS"):  # without them a cell's equation is what computes
        monkeypatch.setattr(f"charlm.model.layers.{kernels}", {})
    again = json.loads(charlm("eval", "--no-baselines", "--json").stdout)
    assert again["nats"] == pytest.approx(scored["nats"], rel=1e-5)


@pytest.mark.usefixtures("run")
def test_resume_and_overwrite(charlm, failed, text: Path, brief: list[str]) -> None:
    assert "is not empty; continue it with --resume" in failed("train", text, "--run", "first", *brief)
    assert "40 steps" in charlm("train", text, "--resume", "--run", "first", "--steps", "40").stderr
    assert "--resume continues with the run's own settings" in failed("train", "--resume", "--hidden", "20")
    assert "first is a run, not a text; continue it with: charlm train --resume --run runs/first" in failed(
        "train", "--resume", "first"
    )
    assert "no file or folder 'second'" in failed("train", "--resume", "second")
    charlm("train", text, "--overwrite", "--run", "first", *brief)


def test_separators(charlm, failed, brief: list[str], write) -> None:
    text = write("one two%%\nthree four%%\n" * 60)
    charlm("train", text, "--separator", r"%%\n", *brief)
    assert json.loads(charlm("info", "--json").stdout)["corpus"]["documents"] == 120
    assert "give one of them" in failed("train", text, "--separator", "%", "--documents", "line")


def test_ctrl_c_saves_and_says_how_to_continue(charlm, text: Path, brief: list[str], start) -> None:
    metrics = Path("runs/a/metrics.jsonl")
    child = start("train", text, "--run", "runs/a", *brief, "--steps", 1_000_000)
    child.wait_for(lambda: metrics.exists() and metrics.stat().st_size > 0)
    child.send(signal.SIGINT)
    assert child.wait() == 130
    assert child.stdout == ""
    assert "saved at step" in child.stderr and "charlm train --resume --run runs/a" in child.stderr
    assert "Traceback" not in child.stderr
    step = int(child.stderr.rpartition("saved at step ")[2].partition(";")[0].replace(",", ""))
    assert json.loads(charlm("train", "--resume", "--steps", step + 20, "--json").stdout)["step"] == step + 20


@pytest.mark.usefixtures("run")
def test_a_run_that_is_over_says_so(failed) -> None:
    assert "run runs/first is finished (30 of 30 steps); to train longer pass a larger --steps" in failed(
        "train", "--resume"
    )


def test_too_few_minutes_are_said_to_be_too_few(charlm, text: Path) -> None:
    shown = charlm("train", text, "--minutes", "0.0001").stderr
    assert "note: preparing the text took" in shown
    assert "of --minutes 0.0001 (much of it for n-gram counts, which --ngram-order 0 leaves out)" in shown
    assert "best validation loss" in shown


def test_overwriting_needs_a_name(failed, text: Path, brief: list[str]) -> None:
    assert "pass --run too" in failed("train", text, "--overwrite", *brief)


@pytest.mark.usefixtures("run")
def test_names_are_no_markup(charlm, brief: list[str], sentences: str, write) -> None:
    text = write(sentences, "[b]x[.txt")
    charlm("train", text, "--run", ":dog:[/b]", *brief)
    for command in ("info", "eval"):
        shown = charlm(command, ":dog:[/b]").stdout
        assert "[b]x[" in shown, shown
    assert ":dog:[/b]/model.safetensors" in charlm("info", ":dog:[/b]").stdout
    assert "[/b]x.txt" in charlm("eval", write(sentences, "[/b]x.txt")).stdout


def test_the_next_commands_that_it_shows_can_be_pasted(charlm, text: Path, brief: list[str]) -> None:
    shown = charlm("train", text, "--run", "my run", *brief).stderr
    words = shlex.split(shown.rpartition("next: ")[2].replace(",", " "))
    assert words == ["charlm", "sample", "runs/my run", "charlm", "eval", "runs/my run"]


def test_a_run_without_a_held_out_split_shows_its_steps_and_advises_another_text(
    charlm, text: Path, brief: list[str]
) -> None:
    shown = charlm("train", text, "--splits", "100/0/0", "--run", "all", *brief).stderr
    assert len(re.findall(r"^step [0-9]+  [0-9]+%  loss", shown, re.MULTILINE)) == 3
    assert shown.splitlines()[-1].endswith("charlm eval runs/all TEXT")


def test_the_end_of_training_says_which_predictor_wins(charlm, brief: list[str], text: Path) -> None:
    shown = charlm("train", text, "--ngram-order", "0", "--json", *brief)
    (sentence, *_) = json.loads(shown.stdout)["verdict"]
    assert "predict this text better than the network" in sentence and sentence in shown.stderr


def test_a_finished_run_needs_no_model_to_compare_with(charlm, text: Path, run: str, brief: list[str]) -> None:
    charlm("train", text, "--init-from", run, "--run", "later", "--steps", "3")
    (Path(run) / "model.safetensors").write_bytes(b"damaged")
    shown = charlm("train", "--resume", "--run", "later", "--steps", "6", "--json")
    values = json.loads(shown.stdout)
    assert values["finished"] and values["forgotten"] is None
    assert re.search("note: the run is not compared with the model that it began with: .*runs/first/", shown.stderr)
    shown = charlm("train", text, "--init-from", "later", "--run", "later", "--overwrite", "--steps", "3", "--json")
    assert json.loads(shown.stdout)["forgotten"] is None and "forgotten" not in shown.stderr


def test_a_small_validation_split_earns_a_note(charlm, text: Path, brief: list[str]) -> None:
    shown = charlm("train", text, *brief, "--splits", "98/1/1").stderr
    assert "note: the validation split has only" in shown
    assert "validation split has only" not in charlm("train", text, *brief, "--splits", "80/10/10").stderr
