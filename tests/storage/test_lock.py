import os
from pathlib import Path

import pytest

from charlm import api
from charlm.api import Callbacks
from charlm.errors import RunError


def test_one_process_at_a_time_trains_in_a_folder(train_run) -> None:
    said = []

    def intrude(record: object) -> None:
        for attempt in (lambda: api.resume_run("runs/a"), lambda: train_run(overwrite=True), train_run):
            with pytest.raises(RunError) as error:
                attempt()
            said.append(str(error.value))

    train_run(steps=10, callbacks=Callbacks(on_event=intrude))
    assert said and set(said) == {
        f"run folder runs/a is in use by process {os.getpid()}; wait until it ends, or name another with --run"
    }
    assert api.resume_run("runs/a", lengths={"steps": 12}).outcome.finished


def test_a_folder_that_holds_nothing_but_a_lock_is_room_enough(train_run) -> None:
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/.lock").touch()
    assert train_run(steps=2).outcome.finished
