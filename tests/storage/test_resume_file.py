"""What a resume file says is checked: a value that doesn't fit is an error of one line, and never a traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from charlm import api
from charlm.errors import CharlmError, ModelFileError, RunError
from charlm.storage import digest
from charlm.storage.runs import RunFolder
from charlm.training.saved_state import ResumeValues, restore
from charlm.training.state import TrainingState

OLD = Path(__file__).parents[1] / "data" / "v0.1"
Edit = Callable[[dict[str, Any], dict[str, torch.Tensor]], object]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that was stopped."""
    shutil.copytree(OLD / "stopped", tmp_path / "stopped")
    return RunFolder(tmp_path / "stopped")


def change(path: Path, edit: Edit) -> None:
    """Edit the values and tensors of a resume file, and sign it anew."""
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["charlm"])
    tensors = safetensors.torch.load_file(path)
    edit(description["resume"], tensors)
    description = {key: value for key, value in description.items() if key not in digest.KEYS}
    safetensors.torch.save_file(tensors, path, {"charlm": json.dumps(digest.signed(description, tensors))})


def restored(run: RunFolder) -> TrainingState:
    return restore(run, run.read_config().training, 0.0)[0]


STEP = {
    "step": 1,
    "epoch": 0.1,
    "progress": 0.1,
    "tokens": 9,
    "seconds": 0.1,
    "loss": 1.0,
    "gradient_norm": 1.0,
    "clipped_norm": 1.0,
    "learning_rate": 0.1,
}


def set_value(name: str, value: object) -> Edit:
    """An edit of a value, by a name such as cursor.epoch or lengths.1."""

    def edit(values: dict[str, Any], tensors: object) -> None:
        *parents, last = name.split(".")
        target: Any = values
        for parent in parents:
            target = target[parent]
        target[int(last) if isinstance(target, list) else last] = value

    return edit


NUMBERS = ["cursor.section", "cursor.epoch", "cursor.tokens", "validation_tokens", "step", "tokens", "lengths.1"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["x", [], {}, 0.5, None, True, -1, 10**400, 2**63, float("nan")])
def test_a_number_that_does_not_fit_is_an_error(run: RunFolder, name: str, value: object) -> None:
    change(run.resume, set_value(name, value))
    with pytest.raises(ModelFileError, match=r"resume.safetensors is damaged: ") as error:
        restored(run)
    assert "\n" not in str(error.value) and len(str(error.value)) < len(str(run.resume)) + 400


@pytest.mark.parametrize(
    "edit",
    [
        set_value("seconds", "1"),
        set_value("seconds", float("inf")),
        set_value("seconds", -1.0),
        set_value("seconds", 10**400),
        set_value("first_progress", 1.0),
        set_value("first_progress", -0.1),
        set_value("first_progress", []),
        set_value("best", "x"),
        set_value("best", float("nan")),
        set_value("best_step", 151),
        set_value("carries_state", 1),
        set_value("cursor", []),
        set_value("cursor", {"epoch": 1, "more": 2}),
        set_value("recent", {}),
        set_value("recent", [1]),
        set_value("recent", [STEP | {"loss": "x"}]),
        set_value("recent", [STEP | {"loss": float("inf")}]),
        set_value("recent", [{key: value for key, value in STEP.items() if key != "loss"}]),
        set_value("lengths", [1]),
        set_value("lengths", [1, 2, 3]),
        set_value("lengths", [-1, 2]),
        set_value("more", 1),
        lambda values, tensors: values.pop("step"),
        lambda values, tensors: tensors.pop("resume/generator"),
        lambda values, tensors: tensors.update({"resume/generator": torch.zeros(3)}),
        lambda values, tensors: tensors.update({"resume/generator": torch.zeros(5056, dtype=torch.uint8)}),
        lambda values, tensors: tensors.update({"resume/average/output": torch.zeros(2, 2)}),
        lambda values, tensors: tensors.pop("resume/state/0/0"),
        lambda values, tensors: tensors.update({"resume/state/0/0": torch.zeros(())}),
        lambda values, tensors: tensors.update({"resume/state/0/0": torch.zeros(3, 5)}),
        lambda values, tensors: tensors["resume/state/0/0"].fill_(float("nan")),
        lambda values, tensors: tensors.update({"resume/state/0/0": tensors["resume/state/0/0"][:1].clone()}),
    ],
)
def test_values_and_tensors_that_do_not_fit_are_an_error(run: RunFolder, edit: Edit) -> None:
    change(run.resume, edit)
    with pytest.raises(ModelFileError, match=r"resume.safetensors is damaged: ") as error:
        restored(run)
    assert "\n" not in str(error.value)


def test_a_sound_file_is_restored(run: RunFolder) -> None:
    change(run.resume, set_value("recent", [STEP]))
    state = restored(run)
    assert (state.step, state.best_step, state.cursor.window) == (150, 150, 18)
    assert [record.loss for record in state.recent] == [1.0]


def test_states_of_fewer_sequences_than_continue_are_an_error(run: RunFolder) -> None:
    def fewer(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("resume/state/")]:
            tensors[name] = tensors[name][:1].clone()

    change(run.resume, fewer)
    with pytest.raises(RunError, match=r"the run was saved with 1 sequence per step, but \d continue"):
        api.resume_run(run.path, text=OLD / "text.txt")


@pytest.mark.parametrize(("name", "value"), [("batch_size", 4), ("seq_len", 8), ("seed", 9)])
def test_other_windows_than_it_was_saved_with_are_an_error(run: RunFolder, name: str, value: int) -> None:
    config = json.loads(run.config.read_text())
    config["training"][name] = value
    run.config.write_text(json.dumps(config))
    with pytest.raises(RunError, match=rf"config.json has {name} {value}, but the run was saved with \d+; restore it"):
        restored(run)


@pytest.mark.usefixtures("one_thread")
def test_a_state_outside_the_ngrams_is_an_error(write) -> None:
    text = write("".join(f"line {number} of a text\n" for number in range(99)))
    stop = iter([False] * 4 + [True] * 9)
    callbacks = api.Callbacks(should_stop=lambda: next(stop))
    shape = {"hidden_size": 4, "embedding_size": 4, "ngram_order": 3, "dropout": 0.0}
    api.train_run(text, run="a", model=shape, training={"steps": 9}, auto=False, callbacks=callbacks)
    run = RunFolder(Path("runs/a"))
    assert restored(run).step == 5
    change(run.resume, lambda values, tensors: tensors["resume/state/1/0"].fill_(10**6))
    with pytest.raises(CharlmError, match="a state of the n-gram model is outside of it"):
        restored(run)


def test_the_values_come_back_from_json(run: RunFolder) -> None:
    with safetensors.safe_open(run.resume, framework="pt") as file:
        values = json.loads(file.metadata()["charlm"])["resume"]
    values |= {"validated_step": None, "uncounted": 0.0}  # charlm 0.1 did not write them
    assert json.loads(json.dumps(ResumeValues.from_json(values).to_json())) == values
