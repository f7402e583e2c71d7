"""Models compared from Python."""

import json
from pathlib import Path

import pytest

from charlm import api
from charlm.errors import ConfigError
from charlm.text_model.comparison import compare_models


def test_the_figures_are_those_of_evaluate(trained_run, text: Path) -> None:
    models = [api.load(trained_run()), api.load(trained_run("runs/b", seed=5))]
    found = compare_models(models, names=("a", "b"))
    own = [model.evaluate(split="test") for model in models]
    assert [score.nats for score in found.scores] == pytest.approx([score.nats for score in own], rel=1e-5)
    assert [score.model for score in found.scores] == ["a", "b"] and found.text.endswith("test split")
    assert sorted(score.difference is None for score in found.scores) == [False, True]
    for score in found.scores:
        assert score.perplexity_per_word == pytest.approx(2**score.bits_per_word)
        if score.difference is not None:
            best = found.scores[found.comparison.best]
            gap = score.bits_per_character - best.bits_per_character
            assert score.difference.than == best.model and score.difference.bits_per_character == pytest.approx(gap)
    assert json.loads(json.dumps(found.to_json()))["models"][0]["model"] == "a"
    whole = compare_models(models, text)
    assert whole.text == str(text) and whole.scores[0].model == str(models[0].path)
    with pytest.raises(ConfigError, match="give a text"):
        compare_models(models, corpus={"documents": "line"})
