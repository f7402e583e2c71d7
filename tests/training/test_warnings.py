from dataclasses import replace

import pytest

from charlm.config import CorpusConfig, TokenizerConfig, TrainConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.model.networks.recurrent import Recurrent
from charlm.training.events import Event, StepEvent
from charlm.training.start.settings import TrainingTask, settings_for
from charlm.training.warnings import GradientMonitor, PassesCheck, warn_about_run


def step(norm: float, clip: float = 1.0) -> StepEvent:
    return StepEvent(
        step=1,
        epoch=0.0,
        progress=0.0,
        tokens=1,
        seconds=0.0,
        loss=1.0,
        gradient_norm=norm,
        clipped_norm=min(norm, clip),
        learning_rate=0.001,
    )


def warnings(norms: list[float]) -> list[str]:
    monitor = GradientMonitor()
    return [warning for norm in norms if (warning := monitor(step(norm))) is not None]


@pytest.mark.parametrize(("clipped", "told"), [(50, 0), (51, 1), (100, 1)])
def test_clipping_in_more_than_half_of_the_steps_is_told_once(clipped: int, told: int) -> None:
    norms = [2.0] * clipped + [0.5] * (100 - clipped)
    found = warnings(norms * 5)
    assert len(found) == told
    assert all(f"clipped in {clipped}% of the last 100 steps" in warning for warning in found)


def test_a_norm_that_grows_without_bound_is_told_once() -> None:
    found = warnings([1e-6 * 4**block for block in range(8) for _ in range(100)])
    assert found == [
        "the gradient norm grows without bound: 1e-06 to 6.4e-05 in 300 steps; lower --learning-rate or use another "
        "--recurrent-init"
    ]


def test_a_norm_that_settles_is_no_cause_for_alarm() -> None:
    assert warnings([0.9, 0.1, 0.5, 0.3] * 500) == []
    assert warnings([0.01] * 100 + [0.9] * 1000) == []


@pytest.mark.parametrize(
    ("precision", "quick", "warned"), [("bfloat16", False, True), ("bfloat16", True, False), ("auto", False, False)]
)
def test_slow_products_earn_a_warning(
    dataset, network_with_prior, caplog, monkeypatch: pytest.MonkeyPatch, precision: str, quick: bool, warned: bool
) -> None:
    monkeypatch.setattr(Recurrent, "has_bfloat16_kernel", quick)
    warn_about_run(dataset, network_with_prior(dataset), TrainConfig(steps=1, precision=precision))
    assert ("many times as long" in caplog.text) == warned


def warned(text, caplog, network, **config: str) -> str:
    """The warnings at the start of a run on a text."""
    dataset = make_dataset(open_corpus(text, CorpusConfig(**config)), TokenizerConfig())
    warn_about_run(dataset, network(vocab_size=dataset.tokenizer.vocab_size), TrainConfig(steps=1))
    return caplog.text


def test_a_text_that_is_given_twice_earns_a_warning(text, caplog, network, write, sentences: str) -> None:
    assert "text.txt is given twice; text that appears in both the" in warned([text, text], caplog, network)
    copy = write(sentences, "copy.txt")
    assert "copy.txt is a copy of text.txt" in warned([text, copy], caplog, network)


def test_a_small_copy_among_large_files_earns_none(text, caplog, network, write) -> None:
    small = [write("x", f"{number}.txt") for number in range(2)]
    assert "copy of" not in warned([text, *small], caplog, network)


def test_a_folder_of_single_sentences_is_no_list(caplog, network, write) -> None:
    for number in range(250):
        folder = write(f"This is note {number}.\n", f"notes/{number}.txt").parent
    assert "--documents line" not in warned(folder, caplog, network)
    assert "folder" in caplog.text and "reading 250 files (250 .txt)" in caplog.text
    assert "--documents line" in warned(write("a short line\n" * 250), caplog, network)


def test_a_table_earns_a_hint_with_its_columns(caplog, network, write) -> None:
    table = write("title,words\n" + 'one,"some words\nhere"\n' * 250, "songs.csv")
    said = warned(table, caplog, network)
    assert "songs.csv is a table with the columns title, words" in said and "--documents line" not in said


def pace_warnings(expected: float, pace: float, caplog: pytest.LogCaptureFixture, *given: str) -> list[str]:
    """The warnings of a run that reads the text `pace` times per whole progress, from a tenth of its time on."""
    selected = settings_for(TrainingTask(tokens=10**6), expected).without(given)
    seen: list[Event] = []
    check = PassesCheck(selected, seen.append)
    events = [
        replace(step(1.0), progress=progress, epoch=pace * (progress - 0.1))
        for progress in (0.11, 0.15, 0.25, 0.5, 1.0)
    ]
    for one in events:
        check(one)
    assert seen == events
    return [record.getMessage() for record in caplog.records]


def test_a_forecast_that_holds_needs_no_word(caplog: pytest.LogCaptureFixture) -> None:
    assert pace_warnings(expected=9, pace=12, caplog=caplog) == []
    assert pace_warnings(expected=0.9, pace=0.1, caplog=caplog) == []


@pytest.mark.parametrize(
    ("expected", "pace", "better"),
    [
        (1.3, 5.5, ""),
        (7.2, 3, "; for that many passes, the automatic settings would be --dropout 0 --averaging 0.05"),
        (3, 30, "; for that many passes, the automatic settings would be --dropout 0.2 --averaging 0.2"),
    ],
)
def test_a_forecast_that_is_far_off_is_corrected_once(
    expected: float, pace: float, better: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert pace_warnings(expected, pace, caplog) == [
        f"at its current speed, this run will read the training split about {0.9 * pace:.1f} times instead of the "
        f"expected {expected:.1f}{better}"
    ]


def test_what_the_user_has_set_is_not_corrected(caplog: pytest.LogCaptureFixture) -> None:
    (warning,) = pace_warnings(7.2, 3, caplog, "dropout")
    assert warning.endswith("; for that many passes, the automatic settings would be --averaging 0.05")
