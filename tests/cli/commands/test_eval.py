"""`charlm eval` as a user types it."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest

from charlm.evaluation.baselines import Baseline


def test_eval_json_has_every_figure(charlm, run: str, sentences: str) -> None:
    values = json.loads(charlm("eval", run, "--json").stdout)
    wanted = (
        "tokens characters bytes unknown_characters nats nats_per_token perplexity bits_per_character bits_per_byte"
    )
    assert set(wanted.split()) <= set(values)
    assert values["characters"] == len(sentences) - int(len(sentences) * 0.95)
    assert json.loads(charlm("eval", run, "--split", "train", "--json").stdout)["characters"] == int(
        len(sentences) * 0.9
    )


def test_the_perplexity_per_word_is_that_of_the_papers(charlm, run: str, write) -> None:
    text = write("The cat sat on the mat .\n\nA dog ran .\n", "words.txt")
    values = json.loads(charlm("eval", run, text, "--no-baselines", "--json").stdout)
    assert values["words"] == 7 + 4 + 3
    assert values["perplexity_per_word"] == pytest.approx(math.exp(values["nats"] / 14))
    shown = charlm("eval", run, text, "--no-baselines").stdout
    assert re.search(rf"^perplexity per word +{values['perplexity_per_word']:,.2f}$", shown, re.MULTILINE), shown
    dynamic = json.loads(charlm("eval", run, text, "--no-baselines", "--dynamic", "--json").stdout)
    assert dynamic["perplexity_per_word"] == pytest.approx(math.exp(dynamic["nats"] / 14))


def test_an_infinite_perplexity_is_shown_as_a_bound(charlm, run: str, write) -> None:
    path = write("é" * 3000, "one-word.txt")
    for arguments in (["eval", run, path], ["compare", run, run, path]):
        result = charlm(*arguments)
        assert "above 1e304" in result.stdout and " inf" not in result.stdout


def test_eval_compares_with_baselines(charlm, text: Path, brief: list[str], sentences: str) -> None:
    charlm("train", text, "--run", "alone", "--ngram-order", "0", *brief)
    run = "alone"
    values = json.loads(charlm("eval", run, "--json").stdout)
    assert list(values["baselines"]) == ["ngram", "unigram", "uniform", "gzip", "xz"]
    assert 1 <= values["baselines"]["ngram"]["order"] <= 8
    tokens, characters = values["tokens"], values["characters"]
    symbols = len(set(sentences[: int(len(sentences) * 0.9)])) + 2  # EOS and <unk>, but not BOS
    uniform = values["baselines"]["uniform"]["bits_per_character"]
    assert uniform == pytest.approx(tokens * math.log2(symbols) / characters)
    shown = charlm("eval", run).stdout
    for name, figures in values["baselines"].items():
        label = f"n-gram, order {figures['order']}" if name == "ngram" else name
        assert re.search(rf"^{label} +{figures['bits_per_character']:.4f}  ░+$", shown, re.MULTILINE), shown
    assert re.search(rf"^this network +{values['bits_per_character']:.4f}  █+$", shown, re.MULTILINE), shown
    bars = shown.split("bits per character (lower is better)\n")[1].splitlines()[:6]
    bits, lengths = [float(bar.split()[-2]) for bar in bars], [len(bar.split()[-1]) for bar in bars]
    assert bits == sorted(bits) and lengths == sorted(lengths)
    own, best = values["bits_per_character"], values["baselines"]["xz"]["bits_per_character"]
    assert shown.splitlines()[0] == (
        f"{own:.4f} bits per character on the test split of text ({characters:,} characters): "
        f"{own / best:.3g} times as many as the best baseline, xz"
    )
    assert "\x1b" not in shown
    assert values["baselines"]["ngram"]["bits_per_character"] < values["bits_per_character"]
    assert "predict this text better than the network" in shown and values["verdict"][0] in shown
    again = json.loads(charlm("eval", run, text, "--split", "test", "--json").stdout)
    assert again["baselines"] == values["baselines"]


def test_eval_says_nothing_of_an_ngram_that_loses(charlm, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = Baseline(nats=9e9, characters=9, order=3)
    monkeypatch.setattr("charlm.text_model.text_model.measure_baselines", lambda *_, **__: {"ngram": worse})
    shown = charlm("eval", run).stdout
    assert "n-gram, order 3" in shown and "predicts this text better" not in shown


def test_eval_without_baselines(charlm, text: Path, run: str, sentences: str, write) -> None:
    assert json.loads(charlm("eval", run, "--no-baselines", "--json").stdout)["baselines"] == {}
    assert "n-gram" not in charlm("eval", run, "--no-baselines").stdout
    for arguments in (["--split", "train"], [text]):
        result = charlm("eval", run, *arguments, "--json")
        assert json.loads(result.stdout)["baselines"] == {}
        assert "note: no baselines: the predictors have memorised the training split\n" in result.stderr
    other = write("cat and the dog\n", "other.txt")
    assert len(json.loads(charlm("eval", run, other, "--json").stdout)["baselines"]) == 5
    shutil.copy(f"{run}/model.safetensors", "model.safetensors")
    result = charlm("eval", "model.safetensors", other, "--json")
    assert json.loads(result.stdout)["baselines"] == {} and "is outside its run folder" in result.stderr
    text.write_text(sentences + "more")
    result = charlm("eval", run, other)
    assert "bits per character" in result.stdout and "n-gram" not in result.stdout
    assert "note: no baselines: the text text has changed since the model was trained on it\n" in result.stderr


def test_eval_of_a_text(charlm, run: str, write) -> None:
    other = write("cat and the dog\n", "other.txt")
    values = json.loads(charlm("eval", run, other, "--json").stdout)
    assert (values["characters"], values["documents"], values["unknown_characters"]) == (16, 1, 0)
    assert json.loads(charlm("eval", other, "--json").stdout)["nats"] == values["nats"]
    shown = charlm("eval", run, other, "--no-baselines").stdout
    assert shown.splitlines()[0] == f"{values['bits_per_character']:.4f} bits per character on {other} (16 characters)"
    assert " on 4 texts (64 characters)\n" in charlm("eval", run, *[other] * 4, "--no-baselines").stdout
    lines = json.loads(charlm("eval", run, other, other, "--documents", "line", "--json").stdout)
    assert (lines["characters"], lines["documents"]) == (30, 2)


def test_eval_takes_validation_where_there_is_no_test_part(
    charlm, failed, text: Path, brief: list[str], sentences: str
) -> None:
    charlm("train", text, "--splits", "90/10/0", *brief)
    assert json.loads(charlm("eval", "--json").stdout)["split"] == "valid"
    charlm("train", text, "--splits", "100/0/0", "--run", "all", *brief)
    assert "has no held-out split" in failed("eval", "all")
    assert json.loads(charlm("eval", "all", "--split", "train", "--json").stdout)["characters"] == len(sentences)
    assert "the valid split of text is empty" in failed("eval", "all", "--split", "valid")


def test_evaluation_can_learn_and_remember(charlm, failed, trained_run) -> None:
    trained_run(steps=30, model={"hidden_size": 16, "ngram_order": 3})
    plain = json.loads(charlm("eval", "--json", "--no-baselines").stdout)
    dynamic = json.loads(charlm("eval", "--json", "--no-baselines", "--dynamic", "--dynamic-rate", "0.003").stdout)
    cached = json.loads(charlm("eval", "--json", "--no-baselines", "--cache", "--cache-share", "0.2").stdout)
    both = json.loads(charlm("eval", "--json", "--no-baselines", "--cache", "--dynamic").stdout)
    assert (plain["dynamic"], plain["cache"], both["dynamic"], both["cache"]) == (False, False, True, True)
    assert len({one["nats"] for one in (plain, dynamic, cached, both)}) == 4
    assert dynamic["nats"] < plain["nats"]
    first = charlm("eval", "--no-baselines", "--dynamic", "--cache").stdout.splitlines()[0]
    assert " on the test split of text (" in first
    assert first.endswith(" characters) with dynamic evaluation and neural cache")
    assert "--dynamic-rate needs --dynamic" in failed("eval", "--dynamic-rate", "0.1")
    assert "--cache-share needs --cache" in failed("eval", "--cache-share", "0.1")


@pytest.mark.usefixtures("run")
def test_eval_says_that_a_name_is_neither_model_nor_text(failed, text: Path) -> None:
    said = failed("eval", "nothing", text)
    assert "there is no model or run 'nothing', and no file or folder 'nothing'" in said
    assert "'FIRST', and no text of that name; did you mean the model first?" in failed("eval", "FIRST")
    assert "it looks like a web address" in failed("eval", "https://example.com/text.txt")
    assert "did you mean the named corpus dishes?" in failed("eval", "dihes")


@pytest.mark.parametrize("command", ["eval", "heatmap", "features", "neurons"])
def test_a_model_after_the_text_is_put_in_order(failed, text: Path, run: str, command: str) -> None:
    for model in (run, "first", f"{run}/model.safetensors"):
        said = failed(command, text, model)
        assert said.endswith(
            f"{model} is a model; the model must come before the text: charlm {command} {model} {text}"
        )


def test_eval_of_a_name_that_is_also_a_text_says_so(charlm, run: str) -> None:
    Path(run).rename("runs/hello")
    assert (
        "hello is the name of both a run and a text, and was taken as the run"
        in charlm("eval", "hello", "--no-baselines").stderr
    )
    assert "both a run and a text" not in charlm("eval", "runs/hello", "--no-baselines").stderr


def test_eval_knows_a_model_by_its_content(charlm, text: Path, run: str) -> None:
    Path("weights.bin").write_bytes((Path(run) / "model.safetensors").read_bytes())
    values = json.loads(charlm("eval", "weights.bin", text, "--json").stdout)
    assert (values["model"], values["text"]) == ("weights.bin", str(text))
