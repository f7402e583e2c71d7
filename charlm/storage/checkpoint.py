"""The model file and the resume file: safetensors with a versioned JSON description in the metadata; never a pickle.

A model file contains the weights by name. The metadata key `charlm` has what is needed to use them, and how they were
trained. A resume file is a model file (of the latest weights, not the best) with additional tensors, named
`resume/...`, and an additional JSON object, from which a run continues as if it had never stopped.
"""

import json
import logging
import math
import reprlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from charlm import __version__
from charlm.config import ModelConfig
from charlm.errors import CharlmError, ModelFileError
from charlm.files import atomic_write, parse_object
from charlm.model.additions.label_ngrams import LabelNgrams
from charlm.model.language_model import LanguageModel
from charlm.ngram.arrays import from_arrays, to_arrays
from charlm.ngram.model import NgramModel
from charlm.nouns import count_of
from charlm.storage import digest
from charlm.storage.provenance import TextFacts, TrainingFacts, facts_json
from charlm.tokenizers import Tokenizer, tokenizer_from_json

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
_KEY = "charlm"
_KEYS = {"version", "charlm", "model", "tokenizer", "corpus", "training", "resume", *digest.KEYS}
"""The keys that a description may have."""
_NGRAM, _LABEL_NGRAMS = "ngram/", "label_ngrams/"
_LABEL_WEIGHT = _LABEL_NGRAMS + "weight"
_LARGEST_HEADER = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The content of a model file."""

    model: LanguageModel
    tokenizer: Tokenizer
    corpus: TextFacts | None = None
    """The text it was trained on; None if unknown."""
    training: TrainingFacts | None = None
    """How it was trained; None if unknown."""
    checked: digest.Coverage = "all"
    """What the checksums of the file it was loaded from cover; older files have weaker ones."""


def save(
    path: Path,
    checkpoint: Checkpoint,
    *,
    half: bool = False,
    more: Mapping[str, Any] | None = None,
    more_tensors: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model file, replacing an older one atomically.

    Args:
        path: where to write the file.
        checkpoint: the model and its description.
        half: round the weights to 16 bits in the file; they are 32 bits again when loaded.
        more: additional JSON values for the description.
        more_tensors: additional tensors, by name.

    Raises `CharlmError` when the file can't be written or a weight exceeds the range of 16 bits; the older file is then
    kept.
    """
    description: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "charlm": __version__,
        "model": checkpoint.model.config.to_json(),
        "tokenizer": checkpoint.tokenizer.to_json(),
        "corpus": facts_json(checkpoint.corpus),
        "training": facts_json(checkpoint.training),
    }
    tensors = {name: tensor.detach() for name, tensor in checkpoint.model.state_dict().items()}
    if half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise CharlmError(f"the model has weights beyond 65,504, the largest in 16 bits; {path} is not written")
    prior = checkpoint.model.prior
    ngrams = {} if prior is None or prior.ngram is None else {_NGRAM: prior.ngram}
    if (of_labels := checkpoint.model.label_ngrams) is not None:
        ngrams |= {_of_value(index): ngram for index, ngram in enumerate(of_labels.models)}
        tensors[_LABEL_WEIGHT] = torch.tensor(of_labels.weight, dtype=torch.float64)
    for prefix, ngram in ngrams.items():
        tensors |= {prefix + name: torch.from_numpy(array) for name, array in to_arrays(ngram).items()}
    description |= more or {}
    tensors |= {name: tensor.detach() for name, tensor in (more_tensors or {}).items()}
    tensors = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    content = safetensors.torch.save(tensors, {_KEY: json.dumps(digest.signed(description, tensors))})
    atomic_write(path, content)


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read the model in a model file or resume file, in evaluation mode.

    Raises `ModelFileError` for a file that is missing, damaged, foreign, of another version, or inconsistent.
    """
    return checkpoint_from(path, *read_file(path), device)


def checkpoint_from(
    path: Path, description: dict[str, Any], tensors: Mapping[str, Tensor], device: torch.device | str
) -> Checkpoint:
    """The model from the result of `read_file`, in evaluation mode; raises `ModelFileError` as `load` does."""
    try:
        config = ModelConfig.from_json(description["model"])
        tokenizer = tokenizer_from_json(description["tokenizer"])
        with torch.device("meta"):
            model = LanguageModel(config)
        corpus, training = description["corpus"], description["training"]
        text_facts = TextFacts.from_json(corpus) if corpus != {} else None
        training_facts = TrainingFacts.from_json(training) if training != {} else None
    except KeyError as error:
        raise _damaged(path, f"its description has no {error}") from None
    except CharlmError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from None
    if tokenizer.vocab_size != config.vocab_size:
        raise _damaged(
            path, f"its tokenizer has {count_of(tokenizer.vocab_size, 'token')} and its model {config.vocab_size}"
        )
    model.load_state_dict(_weights(path, model, tensors, device), assign=True)
    if model.prior is not None:
        model.build_on(_ngram(path, config, tensors))
        if any(name.startswith(_LABEL_NGRAMS) for name in tensors):
            model.label_ngrams = _read_label_ngrams(path, config, tensors)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    checked = digest.coverage(description)
    return Checkpoint(
        model=model.eval(), tokenizer=tokenizer, corpus=text_facts, training=training_facts, checked=checked
    )


def _weights(
    path: Path, model: LanguageModel, tensors: Mapping[str, Tensor], device: torch.device | str
) -> dict[str, Tensor]:
    """The weights of a model, which is on the device "meta"; raises `ModelFileError` for one that doesn't fit."""
    weights = {}
    for name, expected in model.state_dict().items():
        tensor = tensors.get(name)
        if tensor is None:
            raise _damaged(path, f"weights {name!r} are missing")
        if tensor.shape != expected.shape or not tensor.is_floating_point():
            found, allowed = tuple(tensor.shape), tuple(expected.shape)
            raise _damaged(path, f"{name!r} is {tensor.dtype} {found}, not floating point {allowed}")
        if not torch.isfinite(tensor).all():
            raise ModelFileError(
                f"{path}: {name!r} has values that are not finite, so it is unusable; use another model"
            )
        kind = torch.float32 if tensor.dtype == torch.float16 else tensor.dtype
        weights[name] = tensor.to(device, kind, copy=True)  # aligned, since alignment may affect rounding
    if len({tensor.dtype for tensor in weights.values()}) > 1:
        raise _damaged(path, "its weights have different number types")
    return weights


def _ngram(path: Path, config: ModelConfig, tensors: Mapping[str, Tensor]) -> NgramModel:
    """The n-gram model of the prior in a file."""
    if config.context_vectors and _NGRAM + "frequent" not in tensors:
        raise _damaged(path, "the n-grams of its context vectors are missing")
    ngram = _read_ngram(path, tensors, _NGRAM)
    if (ngram.order, ngram.vocab_size) != (config.ngram_order, config.vocab_size):
        raise _damaged(
            path,
            f"its n-gram model has order {ngram.order} and {ngram.vocab_size} tokens, not {config.ngram_order} and "
            f"{config.vocab_size} as its description says",
        )
    return ngram


def _read_label_ngrams(path: Path, config: ModelConfig, tensors: Mapping[str, Tensor]) -> LabelNgrams:
    """The n-gram models of the values of labels in a file; older ones have no weight."""
    models = tuple(_read_ngram(path, tensors, _of_value(index)) for index in range(len(config.label_values)))
    order = models[0].order
    if order < 2 or any((ngram.order, ngram.vocab_size) != (order, config.vocab_size) for ngram in models):
        raise _damaged(
            path, f"the n-gram models of its labels don't have one order above 1 and {config.vocab_size} tokens"
        )
    weight = tensors.get(_LABEL_WEIGHT, torch.zeros(()))
    if weight.shape != () or not weight.is_floating_point() or not 0 <= float(weight) <= 1:
        raise _damaged(path, f"{_LABEL_WEIGHT!r} is not a number from 0 to 1")
    return LabelNgrams(models=models, weight=float(weight))


def _of_value(index: int) -> str:
    """What the names of the tensors of the n-gram model of a label's value begin with."""
    return f"{_LABEL_NGRAMS}{index}/"


def _read_ngram(path: Path, tensors: Mapping[str, Tensor], prefix: str) -> NgramModel:
    """The n-gram model whose tensors have names with a prefix."""
    parts = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        return from_arrays({name: tensor.numpy() for name, tensor in parts.items()})
    except TypeError as error:  # a number type that numpy lacks
        raise _damaged(path, f"its n-gram model can't be read ({error})") from None
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON description and the tensors of a file; raises `ModelFileError` for a damaged or foreign file."""
    _check_header(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except safetensors.SafetensorError as error:
        raise ModelFileError(f"{path} is damaged or cut short ({str(error)[:120]}); use another copy of it") from None
    except OSError as error:
        raise ModelFileError(f"{path} can't be read: {error}") from None
    if _KEY not in metadata:
        raise ModelFileError(f"{path} is a safetensors file, but not a charlm model; give a file that charlm saved")
    try:
        description = parse_object(metadata[_KEY])
        version = description["version"]
    except (ValueError, KeyError):
        raise _damaged(path, "its description is invalid") from None
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {reprlib.repr(version)}, but this charlm ({__version__}) reads version "
            f"{FORMAT_VERSION}; install the charlm that made it, or a newer one"
        )
    if unknown := description.keys() - _KEYS:
        raise _damaged(path, f"its description has the unknown key {reprlib.repr(min(unknown))}")
    try:
        digest.verify(description, tensors)
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if (checked := digest.coverage(description)) != "all":
        logger.info("the checksum of %s, made by an older charlm, covers %s", path, checked)
    return description, tensors


def _damaged(path: Path, damage: str) -> ModelFileError:
    return ModelFileError(f"{path} is damaged: {damage}; use another copy of it")


def weights_sha256(model: LanguageModel) -> str:
    """A hash of all weights as used, which identifies a model whatever the name of its file."""
    return digest.tensors_sha256(
        {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    )


def _check_header(path: Path) -> None:
    """Check the header's length, in the first eight bytes, before memory is allocated for the header."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}; check the name") from None
    except OSError as error:
        raise ModelFileError(f"{path} can't be read: {error.strerror}") from None
    if len(start) < 9 or start[8:] != b"{":
        raise ModelFileError(
            f"{path} is not a model file: it doesn't start like safetensors; give a file that charlm saved"
        )
    (header,) = struct.unpack("<Q", start[:8])
    if header > min(size - 8, _LARGEST_HEADER):
        raise ModelFileError(
            f"{path} is damaged or cut short: its header should take {count_of(header, 'byte')}, but the file has "
            f"{size:,}; use another copy of it"
        )


def finite(value: float) -> float | None:
    """`value`, or None for NaN and infinities, which JSON lacks."""
    return value if math.isfinite(value) else None
