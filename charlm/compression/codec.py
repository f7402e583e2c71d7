"""Compress bytes by the probabilities of a model, and decompress them."""

import contextlib
import hashlib
import logging
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from charlm import __version__
from charlm.compression.archive import DIGEST, Header, check_hash, read_archive, write_archive
from charlm.compression.blocks import decode_blocks, encode_blocks
from charlm.compression.predictors import Predictor, make_predictor
from charlm.compression.symbols import Alphabet, has_crlf, separator_of
from charlm.errors import ArchiveError, CharlmError, ConfigError, ModelFileError
from charlm.files import json_sha256
from charlm.ngram.arrays import to_arrays
from charlm.ngram.native_code import native_library
from charlm.progress import Progress, silent
from charlm.storage import checkpoint as model_file
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.digest import tensors_sha256
from charlm.text_model import TextModel, require_forward

logger = logging.getLogger(__name__)


def compress(
    data: bytes,
    model: TextModel,
    *,
    portable: bool | None = None,
    dynamic: bool = False,
    self_contained: bool = False,
    progress: Progress = silent,
) -> bytes:
    """An archive of any bytes, which `decompress` restores.

    Its size in bytes is about 40 more than the nats of the same text by `TextModel.evaluate`, divided by 8 ln 2.

    Args:
        data: the content of a file.
        model: what predicts it; the same model must be given to `decompress`.
        portable: whether the archive can be decompressed on any machine and with any number of threads; None means yes
            if the model allows it and `dynamic` is False.
        dynamic: let the model learn from what it has read, as in dynamic evaluation. The archive can then be
            decompressed only where everything that may affect rounding is the same.
        self_contained: put the model into the archive.
        progress: called with the number of bytes done.

    Raises `ConfigError` for a model that reads from right to left, and if `portable` is True and can't be.
    """
    require_forward(model, "compression")
    if portable and dynamic:
        raise ConfigError("--portable and --dynamic exclude each other; leave out one of them")
    predictor, is_portable = _choose_predictor(model, portable=portable, dynamic=dynamic)
    header = Header(
        model=model_digest(model),
        length=len(data),
        dynamic=dynamic,
        crlf=has_crlf(data),
        machine="" if is_portable else _machine(),
        own_model=_model_bytes(model) if self_contained else None,
    )
    alphabet = _alphabet(model, header)
    blocks = list(encode_blocks(data, alphabet, predictor, model.tokenizer, dynamic=dynamic, progress=progress))
    return write_archive(header, blocks, hashlib.sha256(data).digest())


def decompress(archive: bytes, model: TextModel | None = None, *, progress: Progress = silent) -> bytes:
    """The bytes that `compress` was given.

    Args:
        archive: what `compress` returned.
        model: the model that it was compressed by; None for the model in a self-contained archive.
        progress: called with the number of bytes done.

    Raises `ArchiveError` for an archive that is damaged, or was made by another model, or on another machine if it is
    not portable.
    """
    header, blocks = read_archive(archive)
    if model is None:
        if header.own_model is None:
            raise ArchiveError("the archive has no model in it; name the model that it was compressed by with --model")
        model = _model_from(header.own_model)
    if model_digest(model) != header.model:
        remedy = (
            "pass --model with the one that made it, which must not have been trained since"
            if header.own_model is None
            else "leave out --model, since the archive has its model in it"
        )
        raise ArchiveError(f"the archive was made with another model than {model.path}; {remedy}")
    if header.machine and header.machine != (here := _machine()):
        raise ArchiveError(
            f"the archive is not portable: it was made with {_described(header.machine)}, and this is "
            f"{_described(here)}; decompress it there, or pass --threads if only these differ"
        )
    predictor = make_predictor(model.model, model.tokenizer.bos, portable=not header.machine, dynamic=header.dynamic)
    if predictor is None:
        raise ArchiveError(
            "the archive is portable, but this installation can't compute portable probabilities without charlm's "
            "kernels; install charlm again"
        )
    parts = decode_blocks(blocks, header.length, _alphabet(model, header), predictor, model.tokenizer, progress)
    data = b"".join(parts)
    check_hash(archive, data)
    return data


def _choose_predictor(model: TextModel, *, portable: bool | None, dynamic: bool) -> tuple[Predictor, bool]:
    """What predicts the tokens, and whether it does so on any machine; arguments as in `compress`.

    Raises `ConfigError` if `portable` is True and can't be.
    """
    network, bos = model.model, model.tokenizer.bos
    if portable is not False and not dynamic:
        predictor = make_predictor(network, bos, portable=True, dynamic=False)
        if predictor is not None:
            if native_library() is None:
                logger.warning("without a C compiler 1,000 characters take about 3 s; --no-portable is faster")
            return predictor, True
        if portable:
            raise ConfigError(
                f"--portable needs convolutions or a cell with a compiled form, weights in 32 bits on the CPU, and "
                f"charlm's kernels, which {model.path} or this installation lacks; pass --no-portable"
            )
        logger.warning(
            "%s has no portable form here, so the archive can be decompressed only on a machine like this one",
            model.path,
        )
    predictor = make_predictor(network, bos, portable=False, dynamic=dynamic)
    assert predictor is not None
    return predictor, False


def model_digest(model: TextModel) -> bytes:
    """What identifies a model in an archive: its weights, n-grams, vocabulary, and how documents are separated."""
    prior = model.model.prior
    ngrams = {} if prior is None or prior.ngram is None else to_arrays(prior.ngram)
    facts = {
        "config": model.model.config.to_json(),
        "tokenizer": model.tokenizer.fingerprint(),
        "separator": separator_of(model.corpus_config),
        "weights": weights_sha256(model.model),
        "ngrams": tensors_sha256({name: torch.from_numpy(array) for name, array in ngrams.items()}),
    }
    return bytes.fromhex(json_sha256(facts))[:DIGEST]


def _machine() -> str:
    """What the probabilities of a model depend on when they are not portable, in four words: instruction set, version
    of torch, a hash of the processor's family, all versions and the compiled code, and threads. They are short, since
    they take their bytes in an archive."""
    code = native_library()
    programs = (platform.machine(), __version__, torch.__version__, "" if code is None else Path(code._name).name)
    name = hashlib.sha256("\0".join(programs).encode()).hexdigest()[:6]
    version, capability = torch.__version__.partition("+")[0], torch.backends.cpu.get_cpu_capability()
    return f"{capability.replace(' ', '-')} {version} {name} {torch.get_num_threads()}"


def _described(machine: str) -> str:
    """The words of `_machine`, with what they mean; older archives have other words, which are shown as they are."""
    try:
        capability, version, name, threads = machine.split(" ")
    except ValueError:
        return machine
    return f"{capability}, torch {version}, code {name}, threads {threads}"


def _alphabet(model: TextModel, header: Header) -> Alphabet:
    separator = separator_of(model.corpus_config)
    return Alphabet(model.tokenizer, separator.replace("\n", "\r\n") if header.crlf else separator)


def _model_bytes(model: TextModel) -> bytes:
    with _temporary_file() as path:
        model_file.save(path, model.checkpoint)
        return path.read_bytes()


def _model_from(content: bytes) -> TextModel:
    with _temporary_file() as path:
        path.write_bytes(content)
        try:
            return TextModel(path=Path("in the archive"), checkpoint=model_file.load(path))
        except ModelFileError as error:
            raise ArchiveError(str(error).replace(str(path), "the model in the archive")) from None


@contextlib.contextmanager
def _temporary_file() -> Iterator[Path]:
    """A path for a model file, which is removed after the block; raises `CharlmError` if it can't be written."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder, "model.safetensors")
    except OSError as error:
        raise CharlmError(
            f"can't write a temporary file: {error.strerror}; free some space, or set TMPDIR to another folder"
        ) from None
