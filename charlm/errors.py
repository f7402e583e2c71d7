"""The tree of errors a user can meet.

Each message is one line that names the value, says what is allowed and the way out. The command line prints it and
exits with status 1; from Python they are ordinary exceptions. A traceback of anything else is a bug of charlm's.
"""


class CharlmError(Exception):
    """Something the user can mend. Its text is one line."""


class ConfigError(CharlmError):
    """A setting is out of range, unknown, or at odds with another."""


class CorpusError(CharlmError):
    """A text can't be read, holds nothing, or can't be split as asked."""


class DownloadError(CorpusError):
    """A named corpus could not be fetched, or what came is not what the registry promises."""


class TokenizerError(CharlmError):
    """A tokenizer can't be built from this text or this file."""


class UnknownCharacterError(TokenizerError):
    """A character that the vocabulary lacks, at a place where it can't be passed over."""

    def __init__(self, character: str, position: int, *, remedy: str) -> None:
        self.character = character
        self.position = position
        super().__init__(
            f"character {character!r} (U+{ord(character):04X}) at position {position} is not in the model's "
            f"vocabulary; {remedy}"
        )


class ModelFileError(CharlmError):
    """A model or resume file is damaged, foreign, or of a version this charlm doesn't know."""


class RunError(CharlmError):
    """A run folder is missing, in use, not empty, or can't be written."""


class TrainingDivergedError(CharlmError):
    """The loss became NaN, infinite, or grew far beyond that of guessing."""
