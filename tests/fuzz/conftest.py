"""The files that are mutated. The tests find `mutations` because it is in their folder."""

import sys
from pathlib import Path

import pytest

from charlm import api
from charlm.storage.direction import Direction

sys.path.append(str(Path(__file__).parent))

TEXT = "".join(f"the cat number {number} and the dog\n" for number in range(60))
SHAPE = {"hidden_size": 6, "embedding_size": 5, "ngram_order": 3, "context_vectors": 8, "dropout": 0.1}
SETTINGS = {"steps": 40, "batch_size": 3, "seq_len": 9, "validations": 4, "averaging": 0.2, "threads": 1}


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, mood: Direction) -> Path:
    """A folder with a text, a run of it that was stopped, and a direction in its model."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "text.txt").write_text(TEXT)
    stop = iter([False] * 24 + [True] * 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHARLM_CACHE", str(folder / "cache"))
        api.train_run(
            folder / "text.txt",
            run=folder / "run",
            model=SHAPE,
            training=SETTINGS,
            auto=False,
            callbacks=api.Callbacks(should_stop=lambda: next(stop)),
        )
    mood.save(folder / "mood.safetensors")
    return folder
