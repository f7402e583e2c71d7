"""Load models: one by its file, folder or run, or the pair that fills gaps."""

from pathlib import Path

from charlm.errors import CharlmError, ConfigError, RunError
from charlm.model.device import pick_device
from charlm.sampling.pairs.source import require_no_pairs
from charlm.storage.checkpoint import load as load_checkpoint
from charlm.storage.runs import RUNS, find_model, newest_models
from charlm.text_model import TextModel


def load(model: str | Path | None = None, *, device: str = "cpu") -> TextModel:
    """Load a model from a model file, a run folder or the name of a run; None is the newest run.

    Raises `RunError` if there is none, and `ModelFileError` for a file that is damaged or not a charlm model.
    """
    path = find_model(None if model is None else str(model))
    return TextModel(path=path, checkpoint=load_checkpoint(path, pick_device(device)))


def load_infill_models(
    forward: str | Path | None = None, backward: str | Path | None = None
) -> tuple[TextModel, TextModel]:
    """Load a model of each reading direction for `TextModel.fill`.

    If one is None, it is the newest model of that reading direction with the same tokens as the other.

    Raises `RunError` if there is none, and `ConfigError` if the two models don't belong together.
    """
    forward_model = load(forward) if forward is not None else None
    backward_model = load(backward) if backward is not None else None
    forward_model = forward_model or _newest("forward", backward_model)
    backward_model = backward_model or _newest("backward", forward_model)
    for model, wanted in ((forward_model, "forward"), (backward_model, "backward")):
        if model.corpus_config.direction != wanted:
            raise ConfigError(f"{model.path} reads {model.corpus_config.direction}; name a model that reads {wanted}")
        require_no_pairs(model.corpus_config, "charlm fill", "name another model")
    if forward_model.tokenizer.fingerprint() != backward_model.tokenizer.fingerprint():
        raise ConfigError(
            f"{forward_model.path} and {backward_model.path} have different tokens; train both on the same text with "
            "the same tokenizer"
        )
    return forward_model, backward_model


def _newest(reading_direction: str, like: TextModel | None) -> TextModel:
    """The newest model with a reading direction and, if `like` is given, with the same tokens as that model."""
    for path in newest_models():
        try:
            model = load(path)
        except CharlmError:  # damaged, or from another version of charlm
            continue
        has_same_tokens = like is None or model.tokenizer.fingerprint() == like.tokenizer.fingerprint()
        if model.corpus_config.direction == reading_direction and has_same_tokens:
            return model
    option = " --direction backward" if reading_direction == "backward" else ""
    raise RunError(f"no model in {RUNS}/ reads {reading_direction}; train one with `charlm train TEXT{option}`")
