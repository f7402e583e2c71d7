"""Compress bytes by the probabilities of a model, and decompress them."""

import contextlib
import hashlib
import logging
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch

from charlm.compression.archive import DIGEST, Block, Header, check_hash, damaged, read_archive, write_archive
from charlm.compression.coder import make_decoder, make_encoder
from charlm.compression.machine import described, machine
from charlm.compression.predictors import Predictor, make_predictor
from charlm.compression.symbols import CODE_POINTS, Alphabet, UnknownSymbolError, has_crlf, separator_of
from charlm.errors import ArchiveError, CharlmError, ConfigError, ModelFileError
from charlm.files import json_sha256
from charlm.ngram.arrays import to_arrays
from charlm.ngram.native_code import native_library
from charlm.progress import Progress, silent
from charlm.sampling.steppers import LogitRows
from charlm.storage import checkpoint as model_file
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.digest import tensors_sha256
from charlm.text_model import TextModel, require_forward

logger = logging.getLogger(__name__)

_BLOCK = 1 << 17  # tokens of a block
_REPORTED = 1 << 10  # tokens between two reports of progress


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
    predictor = None
    if portable is not False and not dynamic:
        predictor = make_predictor(model.model, model.tokenizer.bos, portable=True, dynamic=False)
        if predictor is None and portable:
            raise ConfigError(
                f"--portable needs convolutions or a cell with a compiled form, weights in 32 bits on the CPU, and "
                f"charlm's kernels, which {model.path} or this installation lacks; pass --no-portable"
            )
        if native_library() is None and predictor is not None:
            logger.warning("without a C compiler 1,000 characters take about 3 s; --no-portable is faster")
        if predictor is None:
            logger.warning(
                "%s has no portable form here, so the archive can be decompressed only on a machine like this one",
                model.path,
            )
    is_portable = predictor is not None
    if predictor is None:
        predictor = make_predictor(model.model, model.tokenizer.bos, portable=False, dynamic=dynamic)
    assert predictor is not None
    header = Header(
        model=model_digest(model),
        length=len(data),
        dynamic=dynamic,
        crlf=has_crlf(data),
        machine="" if is_portable else machine(),
        own_model=_model_bytes(model) if self_contained else None,
    )
    blocks = list(_encode(data, _alphabet(model, header), predictor, model, dynamic, progress))
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
        raise ArchiveError(
            f"the archive was not made by the model {model.path}, which has digest {model_digest(model).hex()}; "
            f"give the one with digest {header.model.hex()}"
        )
    if header.machine and header.machine != (here := machine()):
        raise ArchiveError(
            f"the archive is not portable: it was made with {described(header.machine)}, and this is "
            f"{described(here)}; decompress it there, or pass --threads if only these differ"
        )
    predictor = make_predictor(model.model, model.tokenizer.bos, portable=not header.machine, dynamic=header.dynamic)
    if predictor is None:
        raise ArchiveError(
            "the archive is portable, but this installation can't compute portable probabilities without charlm's "
            "kernels; install charlm again"
        )
    data = b"".join(_decode(blocks, header, _alphabet(model, header), predictor, model, progress))
    check_hash(archive, data)
    return data


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


class _Reading:
    """The text so far, which encoder and decoder read in the same way."""

    def __init__(self, predictor: Predictor, model: TextModel) -> None:
        self._predictor, self._eos = predictor, model.tokenizer.eos
        self.forget()

    def forget(self) -> None:
        """Let the next token start a document."""
        self._logits: LogitRows | None = None
        self._unread: int | None = None  # the last token, which is read when the next is predicted

    def read(self, token: int) -> None:
        """Read the next token."""
        self._unread = token

    @property
    def logits(self) -> LogitRows:
        """The logits of the next token, (V,)."""
        token, self._unread = self._unread, None
        if token is not None and token != self._eos:
            self._logits = self._predictor.read(token)
        elif token is not None or self._logits is None:
            self._logits = self._predictor.begin()
        return self._logits


def _encode(
    data: bytes, alphabet: Alphabet, predictor: Predictor, model: TextModel, dynamic: bool, progress: Progress
) -> Iterator[Block]:
    """The blocks of a file."""
    symbols, reading, done = alphabet.encode(data), _Reading(predictor, model), 0
    escapes = iter(symbols.escapes.tolist())
    size = alphabet.tokens_of_block(_BLOCK)
    for first in range(0, len(symbols.ids), size):
        ids, ends = symbols.ids[first : first + size].tolist(), symbols.ends[first : first + size]
        encoder = make_encoder(model.tokenizer.vocab_size)
        for index, token in enumerate(ids):
            encoder.token(reading.logits, token)
            if token == model.tokenizer.unk:
                encoder.uniform(next(escapes), CODE_POINTS)
            reading.read(token)
            if index % _REPORTED == 0:
                progress("compressing", int(ends[index]), len(data))
        begin, done = done, int(ends[-1])
        part, payload = data[begin:done], encoder.finish()
        stored = len(payload) >= len(part) and not dynamic  # a model that has learnt from it can't forget it
        if stored:
            reading.forget()
        yield Block(len(part), stored, part if stored else payload, zlib.crc32(part))
    progress("compressing", len(data), len(data))


def _decode(
    blocks: list[Block], header: Header, alphabet: Alphabet, predictor: Predictor, model: TextModel, progress: Progress
) -> Iterator[bytes]:
    """The parts of a file, each of which has the checksum of its block."""
    reading, done = _Reading(predictor, model), 0
    for block in blocks:
        if block.stored:
            part = block.payload
            reading.forget()
        else:
            part = b""
            for part in _decode_block(block, reading, alphabet, model):
                progress("decompressing", done + len(part), header.length)
        if zlib.crc32(part) != block.crc:
            raise damaged("the checksum of what a block holds differs")
        done += len(part)
        yield part
    progress("decompressing", done, header.length)


def _decode_block(block: Block, reading: _Reading, alphabet: Alphabet, model: TextModel) -> Iterator[bytes]:
    """The part of the file decoded so far, every `_REPORTED` tokens, and at last the whole block."""
    decoder, unk = make_decoder(block.payload, model.tokenizer.vocab_size), model.tokenizer.unk
    part, tokens = bytearray(), 0
    while len(part) < block.length:
        token = decoder.token(reading.logits)
        reading.read(token)
        try:
            own = alphabet.bytes_of_escape(decoder.uniform(CODE_POINTS)) if token == unk else alphabet.bytes_of[token]
        except UnknownSymbolError as error:
            raise damaged(f"it holds {error}, which stands for nothing") from None
        if not own:
            raise damaged(f"it holds the token {token}, which no text has")
        part += own
        tokens += 1
        if tokens % _REPORTED == 0:
            yield bytes(part)
    yield bytes(part)
