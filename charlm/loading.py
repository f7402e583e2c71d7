"""Load models: one by its file, folder or run, or the pair that fills gaps."""

from pathlib import Path

from charlm.errors import CharlmError, RunError
from charlm.model.device import pick_device
from charlm.storage.checkpoint import load as load_checkpoint
from charlm.storage.runs import RUNS, find_model, newest_models
from charlm.text_model import TextModel
from charlm.text_model.loaded import require_infill_models


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
    require_infill_models(forward_model, backward_model)
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
    tokens, text = ("", "") if like is None else (f" and has the tokens of {like.path}", " on the same text")
    raise RunError(
        f"no model in {RUNS}/ reads {reading_direction}{tokens}; train one{text} with `charlm train TEXT{option}`"
    )
