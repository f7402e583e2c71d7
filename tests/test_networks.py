"""Every command with a transformer and with convolutions: those that need recurrent units say so, the others work."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import charlm as library
from charlm.config import CorpusConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.evaluation.nats import token_nats
from charlm.sampling import steppers
from charlm.sampling.steppers import ModelStepper

KINDS = {"transformer": {"attention_span": 12, "heads": 2}, "convolution": {"kernel_size": 2}}
kinds = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trained(trained_run, small_shape: dict[str, Any]):
    """Train a small network of a kind with everything that goes with it."""

    def trained(kind: str, run: str = "runs/a", **corpus: Any) -> Path:
        own = {"ngram_order": 4, "context_vectors": 30, "match": True, "network": kind}
        return trained_run(run, model=small_shape | own | KINDS[kind], corpus={"documents": "line"} | corpus)

    return trained


@kinds
def test_commands_that_read_and_write(charlm, trained, text: Path, kind: str) -> None:
    trained(kind)
    assert f"{kind}, 2 x 16" in charlm("info", "a").stdout
    assert f"{kind} 2x16" in charlm("runs").stdout
    static, learning = (
        json.loads(charlm("eval", "a", text, "--no-baselines", "--json", *more).stdout)["nats"]
        for more in ((), ("--dynamic",))
    )
    assert static > 0 and learning != static
    sample = ("sample", "a", "--prefix", "cat ", "--seed", "1", "--length", "60")
    first = charlm(*sample).stdout
    assert first.startswith("cat ") and charlm(*sample).stdout == first
    controls = ("--top-k", "5", "--min-p", "0.01", "--repetition-penalty", "1.2", "--bias", "o=1", "--ban", "x")
    assert charlm(*sample, "--num", "3", "--batch", "2", *controls).stdout
    assert charlm("sample", "a", "--beam", "3", "--length", "20").stdout
    assert charlm("score", "a", text).stdout
    assert charlm("heatmap", "a", text, "--html", "page.html").stderr and Path("page.html").stat().st_size > 1000


@kinds
def test_compiled_code_writes_what_the_model_does(trained, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same text, longer than the span, alone and in a batch."""
    trained(kind)
    model, length, written = library.load("a"), {"length": 60, "min_length": 40}, []
    for stepper in (steppers.CompiledStepper, None):
        monkeypatch.setattr(steppers, "CompiledStepper", stepper)
        batch = model.generate_many("the ", seed=3, num=3, batch=2, **length)
        written.append([model.sample("cat ", seed=3, **length), *(text.text for text in batch)])
    assert written[0] == written[1] and min(map(len, written[0])) > 40


@kinds
def test_labels(charlm, train_run, labelled_reviews: Path, small_shape: dict[str, Any], kind: str) -> None:
    corpus = {"text_column": "text", "label_column": "stars"}
    shape = small_shape | {"network": kind, "match": True, "ngram_order": 3} | KINDS[kind]
    train_run("runs/a", source=labelled_reviews, corpus=corpus, model=shape, learning_rate=0.01)
    lines = charlm("classify", "a", labelled_reviews, "--jsonl").stdout.splitlines()
    right = [record["value"] == record["truth"] for record in map(json.loads, lines)]
    assert len(right) == 240 and sum(right) > 160
    written = {charlm("sample", "a", "--seed", "1", "--label", f"stars={factors}").stdout for factors in ("1:9", "5:9")}
    assert len(written) == 2


@kinds
def test_compare_with_a_recurrent_network(charlm, trained, trained_run, small_shape, text: Path, kind: str) -> None:
    trained(kind)
    trained_run("runs/b", model=small_shape | {"ngram_order": 4}, corpus={"documents": "line"})
    assert charlm("compare", "a", "b").stdout


@kinds
def test_a_gap_is_filled(charlm, trained, kind: str) -> None:
    trained(kind)
    trained(kind, "runs/back", direction="backward")
    values = json.loads(
        charlm("fill", "a", "--backward", "back", "--left", "cat a", "--right", " cat", "--json").stdout
    )
    assert values


@kinds
def test_compressing_gives_the_text_back(charlm, trained, text: Path, kind: str) -> None:
    """By default the archive of a convolution is portable; a transformer's can't be."""
    trained(kind)
    Path("some.txt").write_bytes(text.read_bytes()[:400])
    said = charlm("compress", "some.txt", "--model", "a").stderr
    assert ("has no portable form here" in said) is (kind == "transformer")
    Path("some.txt").unlink()
    charlm("decompress", "some.txt.charlm", "--model", "a")
    assert Path("some.txt").read_bytes() == text.read_bytes()[:400]
    if kind == "transformer":
        said = charlm("compress", "some.txt", "--model", "a", "--portable", "--overwrite", status=1).stderr
        assert "--portable needs" in said and "--no-portable" in said


LOOKING_INSIDE = {
    "neurons": ("neurons", "a", "text.txt"),
    "features": ("features", "a", "text.txt"),
    "probe": ("probe", "a", "--positive", "good.txt", "--negative", "bad.txt"),
    "heatmap of a unit": ("heatmap", "a", "text.txt", "--unit", "0:1"),
    "heatmap of a gate": ("heatmap", "a", "text.txt", "--gate", "0:1:f"),
    "steering": ("sample", "a", "--steer", "0:1=2"),
    "steering along a direction": ("sample", "a", "--steer", "mood=2"),
    "comparing directions": ("sample", "a", "--compare-steer", "mood"),
    "export": ("export", "a", "--html", "page.html"),
}


@kinds
@pytest.mark.parametrize("words", LOOKING_INSIDE.values(), ids=LOOKING_INSIDE)
def test_commands_that_look_at_recurrent_units_say_so(charlm, trained, text: Path, kind: str, words) -> None:
    trained(kind)
    for name in ("good", "bad"):
        Path(f"{name}.txt").write_text("".join(f"{name} cats, {number} of them\n" for number in range(40)))
    arguments = [text if word == "text.txt" else word for word in words]
    said = charlm(*arguments, status=1).stderr.strip().splitlines()
    assert len(said) == 1 and kind in said[0] and "--network recurrent" in said[0]


@kinds
def test_no_document_sees_another(trained, text: Path, kind: str) -> None:
    """A line is scored alone as it is among all lines."""
    model = library.load(trained(kind))
    lines = text.read_text().splitlines(keepends=True)[:12]
    corpora = [Path("lines.txt"), Path("line.txt")]
    corpora[0].write_text("".join(lines))
    corpora[1].write_text(lines[7])
    config = CorpusConfig(documents="line", splits=(100, 0, 0))
    nats = [
        token_nats(model.model, model.tokenizer, make_dataset(open_corpus(path, config), model.tokenizer).train)
        for path in corpora
    ]
    first = sum(len(line.rstrip("\n")) + 2 for line in lines[:7])  # BOS and EOS
    np.testing.assert_allclose(nats[0][first : first + len(nats[1])], nats[1], atol=1e-6)


@kinds
def test_a_step_at_a_time_is_the_window(trained, kind: str) -> None:
    model = library.load(trained(kind)).model
    ids = torch.randint(3, model.config.vocab_size, (30, 1), generator=torch.Generator().manual_seed(1))
    stepper = ModelStepper(model, [model.initial_state(1)])
    with torch.no_grad():
        logits, _ = model(ids)
    for token, expected in zip(ids[:, 0].tolist(), logits[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(stepper.step((token,))[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--network", "transformer", "--cell", "lstm"),
            "--cell is for --network recurrent, not transformer; leave it",
        ),
        (("--network", "convolution", "--heads", "2"), "--heads is for --network transformer, not convolution"),
        (("--kernel-size", "2"), "--kernel-size is for --network convolution, not recurrent"),
        (("--network", "transformer", "--weight-dropout", "0.1"), "--weight-dropout is for --network recurrent"),
        (
            ("--network", "transformer", "--hidden", "20", "--heads", "4"),
            "--hidden must be a multiple of twice --heads",
        ),
        (
            ("--network", "convolution", "--layers", "20"),
            "read 3,486,784,401 tokens; lower one, since 65,536 is the most",
        ),
        (("--network", "transformer", "--attention-span", "0"), "--attention-span is 0; it must be at least 1"),
    ],
)
def test_options_of_another_network_are_refused(charlm, text: Path, options: tuple[str, ...], said: str) -> None:
    assert said in charlm("train", text, "--run", "x", "--steps", "1", *options, status=1).stderr
    assert not Path("runs/x").exists()


@kinds
def test_fine_tuning_keeps_the_network(charlm, trained, text: Path, kind: str) -> None:
    trained(kind)
    more = ("--steps", "2", "--batch-size", "4", "--seq-len", "16")
    charlm("train", text, "--run", "b", "--init-from", "a", *more)
    config = library.load("b").model.config
    assert (config.network, config.num_layers, config.hidden_size) == (kind, 2, 16)
    said = charlm("train", text, "--run", "c", "--init-from", "a", "--network", "recurrent", *more, status=1).stderr
    assert f"has --network {kind}; leave out --network recurrent" in said


@kinds
def test_automatic_settings_fit_the_network(charlm, text: Path, kind: str) -> None:
    said = charlm("train", text, "--run", "b", "--network", kind, "--steps", "2", "--batch-size", "2").stderr
    assert "hidden size 128" in said and "weight dropout" not in said
    config = json.loads(Path("runs/b/config.json").read_text())["model"]
    assert config["network"] == kind and config["num_layers"] > 1 and "cell" not in config
