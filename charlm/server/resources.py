"""What the requests of one server share: its models, its threads, and the one training that it runs."""

from dataclasses import dataclass, field

from charlm.server.models import Models
from charlm.server.training.baselines import Baselines
from charlm.server.training.summaries import Summaries
from charlm.server.training.trainings import Trainings
from charlm.server.workers import Workers

WRITERS, ANALYSTS, MEASURERS = 2, 1, 2
WAITING = 24
"""Requests that may wait for a thread, of each kind."""


@dataclass(frozen=True, kw_only=True)
class ServerResources:
    """The models, threads, trainings and run summaries of a server."""

    models: Models
    writers: Workers = field(default_factory=lambda: Workers(WRITERS, WAITING, "write"))
    """For what answers within seconds: to write, score and load."""
    analysts: Workers = field(default_factory=lambda: Workers(ANALYSTS, WAITING, "analyse"))
    """For what may take a minute, so that it never delays writing."""
    measurers: Workers = field(default_factory=lambda: Workers(MEASURERS, WAITING, "measure"))
    """For the baselines of runs, which processes of their own measure."""
    trainings: Trainings = field(default_factory=Trainings)
    baselines: Baselines = field(default_factory=Baselines)
    summaries: Summaries = field(default_factory=Summaries)

    def close(self) -> None:
        """End all work; a training is saved first."""
        self.writers.close()
        self.analysts.close()
        self.measurers.close()
        self.trainings.close()
