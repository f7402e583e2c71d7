"""`charlm train --direction backward` and `charlm fill` as a user types them."""

import json
from pathlib import Path


def test_a_gap_is_filled(charlm, failed, text: Path, brief: list[str]) -> None:
    charlm("train", text, "--run", "there", "--ngram-order", "4", *brief)
    charlm("train", text, "--run", "back", "--direction", "backward", "--ngram-order", "4", *brief)
    gap = ["--left", "cat and the c", "--right", ", a 3 of cats.", "--length", "12"]
    values = json.loads(charlm("fill", *gap, "--json").stdout)
    assert 0 < len(values) <= 5 and set(values[0]) == {"text", "score", "forward", "backward"}
    named = json.loads(charlm("fill", "there", "--backward", "back", *gap, "--json").stdout)
    assert named == values
    shown = charlm("fill", *gap, "--num", "2").stdout
    assert f"cat and the c[{values[0]['text']}], a 3 of cats." in shown.replace("⏎", "\n")
    assert "reads from right to left" in failed("sample", "back")
    assert "bits per character" in charlm("eval", "back").stdout
    assert "--right is empty" in failed("fill")
    assert "reads forward; name a model that reads backward" in failed("fill", "--backward", "there", *gap)
    assert "'é'" in failed("fill", *gap, "--left", "é")


def test_without_a_backward_model_it_says_how_to_make_one(failed, trained_run) -> None:
    assert "no model in runs/ reads forward" in failed("fill", "--right", "x")
    trained_run()
    said = failed("fill", "--right", "x")
    assert "--direction backward" in said and "no model in runs/ reads forward" not in said
    assert "no model in runs/ reads backward and has the tokens of runs/a/model.safetensors" in said


def test_a_text_in_the_place_of_the_model_points_to_left_and_right(failed, trained_run, write) -> None:
    trained_run("runs/my run")
    gap = "cat and the c___, a 3 of cats."
    for given, shown in ((write(gap), "text.txt"), (gap, "'cat and the ... a 3 of cats.'")):
        said = failed("fill", given)
        assert f"{shown} is no model" in said and "with --left" in said and "with --right" in said
    for given in ("my run", "reviews", "nothing", "nothing.safetensors"):
        assert "--left" not in failed("fill", given, "--right", "x")
