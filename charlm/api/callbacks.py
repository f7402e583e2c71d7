"""What a caller passes to a run, and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from charlm.config import TrainConfig
from charlm.config.names import names_checked
from charlm.data.dataset import Dataset
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.storage.runs import RunFolder
from charlm.training.events import Event
from charlm.training.start.settings import AutotunedSettings
from charlm.training.trainer import Outcome


@names_checked
@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that are called during a run."""

    progress: Progress = silent
    """Called with the progress of reading and encoding."""
    on_settings: Callable[[AutotunedSettings], None] = lambda settings: None
    """Called by `train` with the auto-selected settings and the reasons for them, unless `auto` is False."""
    on_start: Callable[[RunFolder, Dataset, LanguageModel, TrainConfig], None] = lambda *_: None
    """Called before the first step with the run folder, the dataset, the network and all settings of training."""
    on_event: Callable[[Event], None] = lambda event: None
    """Called with every step, validation and sample."""
    should_stop: Callable[[], bool] = lambda: False
    """Called after every step; if it returns True, the run is saved and stops."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a run."""

    run: Path
    """The run folder."""
    outcome: Outcome
    dataset: Dataset
    """The text of the run."""
