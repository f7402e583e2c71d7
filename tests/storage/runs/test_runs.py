import json
from pathlib import Path

import pytest

from charlm import api
from charlm.errors import ConfigError, CorpusError, ModelFileError, RunError
from charlm.files import MODEL_FILE
from charlm.storage.runs import PRETRAINED, find_model, find_run, model_name, names_model


def test_a_run_folder_is_never_overwritten_unasked(text: Path, train_run, small_shape: dict) -> None:
    train_run(steps=5)
    before = Path("runs/a/model.safetensors").read_bytes()
    with pytest.raises(RunError, match="not empty; continue it with --resume, replace it with --overwrite"):
        train_run(steps=5, seed=2)
    assert Path("runs/a/model.safetensors").read_bytes() == before
    Path("runs/a/notes.txt").write_text("mine")
    api.train_run(text, run="runs/a", training={"steps": 5, "seed": 2}, model=small_shape, overwrite=True, auto=False)
    assert Path("runs/a/model.safetensors").read_bytes() != before
    assert Path("runs/a/notes.txt").read_text() == "mine"


def test_runs_get_names_of_their_own(sentences: str, small_shape: dict, write) -> None:
    text = write(sentences, "my novel.txt")
    config = {"steps": 2}
    assert api.train_run(text, training=config, model=small_shape, auto=False).run == Path("runs/my novel")
    assert api.train_run(text, training=config, model=small_shape, auto=False).run == Path("runs/my novel-2")


def test_a_folder_that_cannot_be_written_is_an_error(train_run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file; name another folder"):
        train_run(str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"can't write to .*; name another folder with --run"):
        train_run(str(tmp_path / "file" / "run"))


def test_a_run_is_named_by_a_folder_of_its_own(text: Path, train_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(text.parent)
    with pytest.raises(RunError, match=r"text.txt is a file; name another folder"):
        train_run("./text.txt")
    for name in ("", ".", "./", "..", "runs/.."):
        with pytest.raises(RunError, match=r"--run is '.*'; give a name"):
            train_run(name)
    assert train_run("./mine/", steps=2).run == Path("mine")
    assert train_run("mine/", steps=2, overwrite=True).run == Path("mine")


def test_a_model_is_named_by_its_folder_or_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "novel"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (
        "model.safetensors",
        "./model.safetensors",
        "../novel/model.safetensors",
        folder / "model.safetensors",
    ):
        assert model_name(Path(path)) == "novel"
    assert model_name(Path("copy.safetensors")) == "copy" and model_name(Path("/model.safetensors")) == "model"


def test_a_model_is_found_by_path_name_and_age(text: Path, train_run) -> None:
    with pytest.raises(RunError, match="no trained run in runs/ here"):
        api.load()
    train_run("first", steps=2)
    train_run("second", steps=2)
    for name in ("first", "runs/first", "./runs/first/", "runs/first/model.safetensors"):
        assert api.load(name).path == Path("runs/first/model.safetensors")
    for name in ("", ".", "./first", "first/", "x" * 5000, "\0"):
        with pytest.raises(RunError, match="no model "):
            api.load(name)
    Path("runs/first").rename("moved")
    Path("moved/config.json").unlink()
    for name in ("moved", "moved/", "./moved"):
        assert api.load(name).path == Path("moved/model.safetensors")
    assert names_model("moved") and names_model("second") and not names_model("first") and not names_model("")
    Path("weights.bin").write_bytes(Path("moved/model.safetensors").read_bytes())
    assert names_model("weights.bin") and not names_model(str(text))
    assert names_model("reviews", text_follows=True) and not names_model("reviews")  # a corpus is called so, too
    Path("reviews").write_text("a text")
    assert not names_model("reviews", text_follows=True)
    assert api.load().path == Path("runs/second/model.safetensors")
    with pytest.raises(RunError, match="no model 'third'"):
        api.load("third")


def test_resume_without_a_run_is_an_error() -> None:
    with pytest.raises(RunError, match="no run in runs/nothing"):
        api.resume_run("nothing")


@pytest.mark.parametrize("damage", ["cut", "model", "config"])
def test_a_damaged_run_is_an_error(trained_run, damage: str) -> None:
    trained_run(steps=5)
    folder = Path("runs/a")
    if damage == "cut":
        (folder / "resume.safetensors").write_bytes((folder / "resume.safetensors").read_bytes()[:-100])
    elif damage == "model":
        (folder / "resume.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    else:
        (folder / "config.json").write_text("{")
    with pytest.raises((ModelFileError, RunError)) as error:
        api.resume_run("runs/a")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [
        "{}",
        '{"text": 5}',
        "[" * 100_000,
        lambda v: v.update(training=3),
        lambda v: v["training"].update(colour="red"),
        lambda v: v["corpus"].update(documents="xx"),
        lambda v: v.update(tokenizer="char"),
        lambda v: v["model"].update(cell=[]),
        lambda v: v.pop("init_from"),
        lambda v: v.update(colour="red"),
    ],
)
def test_a_damaged_configuration_is_an_error_that_names_the_file(trained_run, damage) -> None:
    trained_run(steps=5)
    path = Path("runs/a/config.json")
    if callable(damage):
        values = json.loads(path.read_text())
        damage(values)
        damage = json.dumps(values)
    path.write_text(damage)
    for attempt in (lambda: api.resume_run("runs/a"), lambda: api.load("runs/a").evaluate(split="test")):
        with pytest.raises(RunError, match=r"^runs/a/config.json (is damaged|can't be read): .") as error:
            attempt()
        assert "\n" not in str(error.value)


def test_logs_that_were_removed_are_begun_again_without_gaps(train_run, stop_after, records_of, caplog) -> None:
    train_run(callbacks=stop_after(25))
    Path("runs/a/metrics.jsonl").unlink()
    Path("runs/a/samples.txt").write_text("cut")
    api.resume_run("runs/a")
    assert [record["step"] for record in records_of("runs/a", "step")] == [30, 36, 40, 48, 50, 60]
    assert Path("runs/a/samples.txt").read_text().startswith("cut--- step 36")
    assert "metrics.jsonl is shorter than at the last save" in caplog.text


def test_a_run_hides_no_bundled_model(sentences: str, small_shape: dict, write, caplog) -> None:
    text = write(sentences, "reviews.txt")
    run = api.train_run(text, training={"steps": 2}, model=small_shape, auto=False).run
    assert run == Path("runs/reviews-2") and api.load("reviews").path == PRETRAINED / "reviews" / MODEL_FILE
    run.rename("runs/reviews")
    assert api.load("reviews").path == Path("runs/reviews/model.safetensors")
    assert "runs/reviews is a run, which hides the bundled model reviews; rename its folder" in caplog.text


def test_a_newest_run_that_is_but_an_experiment_is_said(trained_run, train_run, caplog) -> None:
    trained_run("runs/long")
    train_run("runs/tried", steps=2)
    assert find_model(None) == Path("runs/tried/model.safetensors")
    assert "the newest run, runs/tried, has only 2 steps; runs/long has 60" in caplog.text
    caplog.clear()
    train_run("runs/tried", steps=4, overwrite=True)
    find_model(None)
    assert caplog.text == "" or "newest run" not in caplog.text


def test_a_home_folder_that_the_shell_left_alone_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_run("~/mine") == tmp_path / "mine"


@pytest.mark.parametrize("name", ["FRIST", "First"])
def test_a_misspelt_run_is_recognised(trained_run, name: str) -> None:
    trained_run("runs/first")
    with pytest.raises(RunError, match=f"no model '{name}'; did you mean first"):
        api.load(name)
    with pytest.raises(RunError, match="did you mean --run first"):
        api.resume_run(name)


def test_a_run_does_not_replace_its_own_text(train_run) -> None:
    train_run(steps=5)
    samples = Path("runs/a/samples.txt")
    samples.write_text(samples.read_text() * 20)
    with pytest.raises(ConfigError, match=r"would replace its own text .*samples.txt; copy the text first"):
        train_run(source=samples, overwrite=True)
    assert samples.stat().st_size > 0


def test_a_text_that_was_moved_is_named_anew(text: Path, train_run) -> None:
    train_run(steps=5)
    moved = text.rename(text.with_name("moved.txt"))
    with pytest.raises(CorpusError, match=r"text.txt of run runs/a is missing; .* NEWPLACE --resume --run a$"):
        api.resume_run("a", lengths={"steps": 9})
    with pytest.raises(CorpusError, match=r"record its new place with `charlm train NEWPLACE --resume --run runs/a`"):
        api.load("a").evaluate()
    with pytest.raises(RunError, match=r"is finished \(5 of 5 steps\)"):
        api.resume_run("a", text=moved)  # which is recorded all the same
    assert api.load("a").evaluate().tokens > 0
