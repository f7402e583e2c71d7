"""Errors a user may encounter.

    CharlmError                     anything the user can fix
        ConfigError                 a setting is out of range, unknown, or contradicts another
        CorpusError                 a text can't be read, is empty, changed, or can't be split as requested
            DownloadError           a named corpus can't be downloaded, or differs from the registry
        TokenizerError              a tokenizer can't be fitted to this text or restored from this file
            UnknownCharacterError   a character is not in the vocabulary
        ModelFileError              a model or resume file is damaged, not a charlm file, or of an unknown version
        ArchiveError                a compressed file is damaged, or made with another model, version or machine
        RunError                    a run folder is missing, in use, not empty, or can't be written
        ProcessError                the processes of a run can't work together, since one differs or can't be reached
            ProcessLostError        another process of the run has ended
        TrainingDivergedError       the loss became NaN or infinite, or rose far above the loss of random guessing

A message is one line: what went wrong, the offending value, what is allowed and what to do. The command line prints it
and exits with status 1; in Python the errors are ordinary exceptions. Any other traceback is a bug in charlm.
"""


class CharlmError(Exception):
    """An error that the user can fix. Its message is one line: a line end in a quoted name is shown as \\n or \\r."""

    is_reported: bool | None = None
    """Whether another of the processes that train together reports it; None unless there are several."""

    def __str__(self) -> str:
        return super().__str__().replace("\r", r"\r").replace("\n", r"\n")


class ConfigError(CharlmError):
    """A setting is out of range, unknown, or contradicts another.

    The message names a setting by its command-line option. In Python that is a field of a configuration or an argument
    of a function, with underscores: `--batch-size` is `batch_size`. A few have other names: `--hidden` is
    `hidden_size`, `--embedding` is `embedding_size`, `--layers` is `num_layers`; `--tokenizer` and
    `--subword-algorithm` are `kind` and `algorithm` of `TokenizerConfig`; `--dynamic-rate` is `rate` of
    `DynamicConfig`, `--cache-share` is `share` of `NeuralCacheConfig`, and `--resume` is the function `resume`.
    """


class CorpusError(CharlmError):
    """A text can't be read, is empty, changed while it was read, or can't be split as requested."""


class DownloadError(CorpusError):
    """A named corpus can't be downloaded, or the download differs from the registry."""


class TokenizerError(CharlmError):
    """A tokenizer can't be fitted to this text or restored from this file."""


class UnknownCharacterError(TokenizerError):
    """A character is not in the vocabulary and may not be skipped or replaced."""

    def __init__(self, character: str, position: int, *, remedy: str) -> None:
        self.character = character
        self.position = position
        super().__init__(
            f"character {character!r} (U+{ord(character):04X}) at position {position} is not in the model's "
            f"vocabulary; {remedy}"
        )


class ModelFileError(CharlmError):
    """A model or resume file is damaged, not a charlm file, or of an unknown version."""


class ArchiveError(CharlmError):
    """A compressed file is damaged, or was made with another model, version or machine."""


class RunError(CharlmError):
    """A run folder is missing, in use, not empty, or can't be written."""


class ProcessError(CharlmError):
    """The processes of a run can't work together: one has another text, or can't reach the others."""


class ProcessLostError(ProcessError):
    """Another process of the run has ended."""


class TrainingDivergedError(CharlmError):
    """The loss became NaN or infinite, or rose far above the loss of random guessing."""
