import json
from pathlib import Path


def test_charlm_alone_without_runs_says_how_to_begin(charlm) -> None:
    shown = charlm().stdout
    assert "no runs in runs/ here" in shown and "next: charlm train TEXT" in shown and "charlm --help" in shown


def test_charlm_alone_names_the_newest_run_and_the_next_command(charlm, trained_run) -> None:
    trained_run("runs/older")
    trained_run("runs/the newest", steps=20)
    shown = charlm().stdout.splitlines()
    assert shown[1] == "2 runs in runs/; charlm runs lists them"
    assert shown[2].startswith("newest: the newest, lstm 2x16, of text.txt, finished, ") and "bits per char" in shown[2]
    assert shown[3] == "next: charlm sample 'the newest'"


def test_a_run_that_was_stopped_is_continued(charlm, train_run, stop_after) -> None:
    train_run(callbacks=stop_after(30))
    shown = charlm().stdout
    assert "50% done" in shown and "next: charlm train --resume --run a " in shown


def test_a_damaged_run_says_so(charlm, trained_run) -> None:
    run: Path = trained_run()
    (run / "config.json").write_text(json.dumps([]))
    shown = charlm().stdout
    assert shown.startswith("charlm ") and "config.json" in shown
