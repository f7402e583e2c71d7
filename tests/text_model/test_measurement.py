"""What `charlm eval` measures, from Python."""

from pathlib import Path

from charlm import api
from charlm.text_model.measurement import measure


def test_a_measurement_has_the_score_and_what_to_compare_it_with(trained_run, text: Path) -> None:
    model = api.load(trained_run())
    own = measure(model)
    assert own is not None and own.result == model.evaluate(split="test")
    assert own.split == "test" and own.text == f"{own.name}, test split"
    assert own.baselines.keys() == {"ngram", "unigram", "uniform", "gzip", "xz"} and own.copying is not None
    assert own.to_json().keys() >= {"nats", "baselines", "copying", "verdict"}
    other = measure(model, [str(text)], with_baselines=False)
    assert other is not None and other.result == model.evaluate(text)
    assert other.text == str(text) and not other.baselines and other.copying is None and other.matches is None
