"""The n-gram model and xz on the validation split of a run, in bits per character: the lines that a network must beat.

They are measured in a process of its own with the lowest priority, so that they hardly slow down the run.
"""

import json
import os
import subprocess
import sys

from charlm.api.fitting import with_valid_text
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.data.token_split import TokenSplit
from charlm.errors import CharlmError
from charlm.evaluation.baselines import measure_baselines
from charlm.progress import silent
from charlm.server.errors import NotFoundError
from charlm.server.workers import Job
from charlm.storage.runs import RUNS, RunFolder
from charlm.training.start.fine_tuning import load_start_model, tokenizer_of_run

_SECONDS = 300.0
_LOOK_SECONDS = 0.2  # after which the process is looked at again
_SHOWN = ("ngram", "xz")


class Baselines:
    """The figures of runs, each measured once; a measurement that fails is made again at the next request."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], dict[str, float]] = {}

    def of(self, run: RunFolder, job: Job) -> dict[str, float]:
        """Bits per character by name; empty if the run has no validation split, or they can't be measured now.

        Raises `NotFoundError` if the run was deleted, and `AbandonedError` once nobody waits for them.
        """
        try:
            key = (run.path.name, run.config.stat().st_mtime_ns)
        except OSError:
            raise NotFoundError(f"there is no run {run.path.name!r}; choose another") from None
        if key not in self._known:
            command = [sys.executable, "-X", "utf8", "-m", "charlm.server.training.baselines", run.path.name]
            found = _output(command, job)
            if found is None:
                return {}
            self._known[key] = found
        return self._known[key]


def _output(command: list[str], job: Job) -> dict[str, float] | None:
    """What a process prints, None if it fails or takes too long; it ends when nobody waits for it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            for _ in range(int(_SECONDS / _LOOK_SECONDS)):
                job.require_wanted()
                try:
                    shown, _ = process.communicate(timeout=_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
                return dict(json.loads(shown)) if process.returncode == 0 else None
            return None
        finally:
            process.kill()


def measure(run: RunFolder) -> dict[str, float]:
    """The figures of a run; raises `CharlmError` if its text can't be read."""
    config = run.read_config()
    start_model = load_start_model(config.init_from)
    tokenizer = tokenizer_of_run(start_model, config.tokenizer)
    dataset = with_valid_text(
        make_dataset(open_corpus(config.text, config.corpus), tokenizer), config.valid, progress=silent
    )
    valid: TokenSplit = dataset.valid
    if not valid.facts.tokens or valid.facts.source_tokens:
        return {}
    found = measure_baselines(dataset.tokenizer, train=dataset.train, valid=valid, text=valid)
    return {name: found[name].bits_per_character for name in _SHOWN if name in found}


if __name__ == "__main__":
    os.nice(19)
    try:
        print(json.dumps(measure(RunFolder(RUNS / sys.argv[1]))))
    except CharlmError as error:
        raise SystemExit(str(error)) from None
