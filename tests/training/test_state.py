from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.api import Callbacks
from charlm.errors import ModelFileError
from charlm.storage.resume_file import load_resume_file, save_resume_file
from charlm.training.events import SampleEvent


def test_the_model_that_is_kept_has_the_mean_of_the_last_weights(train_run) -> None:
    """With a horizon of 1 it is the plain mean of the weights after every step."""
    seen: list[dict[str, torch.Tensor]] = []
    models: list[torch.nn.Module] = []

    def look(record) -> None:
        if isinstance(record, SampleEvent):  # after every step: as many validations as steps
            seen.append({name: value.clone() for name, value in models[0].state_dict().items()})

    callbacks = Callbacks(on_start=lambda run, dataset, model, config: models.append(model), on_event=look)
    train_run(callbacks=callbacks, steps=12, validations=12, averaging=1.0)
    average = {
        name.removeprefix("average/"): value
        for name, value in load_resume_file(Path("runs/a/resume.safetensors"))[1].tensors.items()
        if name.startswith("average/")
    }
    assert len(seen) == 12 and average.keys() == seen[0].keys()
    for name, value in average.items():
        torch.testing.assert_close(value, torch.stack([weights[name] for weights in seen]).mean(0))


@pytest.mark.parametrize("damage", ["missing", "not finite", "of another shape"])
def test_an_average_that_is_damaged_is_an_error(train_run, stop_after, damage: str) -> None:
    train_run(averaging=0.2, callbacks=stop_after(7))
    path = Path("runs/a/resume.safetensors")
    checkpoint, resume = load_resume_file(path)
    name = "average/output"
    if damage == "missing":
        del resume.tensors[name]
    else:
        value = resume.tensors[name]
        resume.tensors[name] = value * float("nan") if damage == "not finite" else value[:1]
    save_resume_file(path, checkpoint, resume)
    with pytest.raises(ModelFileError, match="is damaged"):
        api.resume_run("runs/a")
