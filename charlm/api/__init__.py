"""charlm from Python: train, resume and load do what the commands do, without printing."""

from charlm.api.callbacks import Callbacks, Trained
from charlm.api.continued_run import resume, resume_run
from charlm.api.new_run import train, train_run
from charlm.loading import load

__all__ = ["Callbacks", "Trained", "load", "resume", "resume_run", "train", "train_run"]
