"""Compression as a whole: any bytes come back, and the size is what evaluation promises.

CHARLM_MANY_ARCHIVES=1 takes 10,000 inputs instead of 200.
"""

import math
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.compression import compress, decompress
from charlm.compression.archive import Header, write_archive
from charlm.compression.codec import model_digest
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.errors import ArchiveError, ConfigError
from charlm.evaluation.dynamic import DynamicConfig

EXAMPLES = 10_000 if os.environ.get("CHARLM_MANY_ARCHIVES") == "1" else 200
pytestmark = pytest.mark.usefixtures("one_thread")

ANY_BYTES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(str.encode),
    st.text("owl and the\r\n\0\ufeffé", max_size=60).map(str.encode),
    st.lists(st.sampled_from([b"owl", b"\n", b"\r\n", b"\n\n", b"\xff", b"\xe2\x96", b"%%"]), max_size=20).map(
        b"".join
    ),
)
KINDS = [
    ("char", {}),
    ("byte", {"documents": "line"}),
    ("subword", {"documents": "paragraph"}),
    ("char", {"documents": "line"}),
    ("char", {"separator": "%%", "documents": "separator"}),
]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, sentences: str, model_for) -> list:
    """A model of each kind of tokens and documents."""
    folder = tmp_path_factory.mktemp("models")
    text = folder / "text.txt"
    text.write_text(sentences.replace("\n", "\n\n%%"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHARLM_CACHE", str(folder))
        return [
            model_for(
                make_dataset(open_corpus(text, CorpusConfig(**corpus)), TokenizerConfig(kind=kind, vocab_size=300)),
                spread=0.02,
                ngram_order=5,
                match=True,
            )
            for kind, corpus in KINDS
        ]


@settings(max_examples=EXAMPLES)
@given(data=ANY_BYTES, which=st.integers(0, len(KINDS) - 1))
def test_any_bytes_come_back(models, data: bytes, which: int) -> None:
    archive = compress(data, models[which])
    assert decompress(archive, models[which]) == data
    assert len(archive) < len(data) + 70


@settings(max_examples=EXAMPLES // 10)
@given(data=ANY_BYTES, which=st.integers(0, len(KINDS) - 1), dynamic=st.booleans())
def test_any_bytes_come_back_on_the_same_machine(models, data: bytes, which: int, dynamic: bool) -> None:
    archive = compress(data, models[which], portable=False, dynamic=dynamic)
    assert decompress(archive, models[which]) == data


@pytest.fixture
def binaries(tmp_path: Path) -> list[Path]:
    """Files of many kinds."""
    rng = random.Random(1)
    contents = {
        "empty": b"",
        "nul": bytes(1000),
        "random": rng.randbytes(3000),
        "bom": "\ufeffowl".encode(),
        "utf16": "owl and the owl\r\n".encode("utf-16"),
        "latin1": "Größe, naïve".encode("latin-1"),
        "long line": b"owl " * 2000,
        "line ends": b"\r\n\n\r\r\n" * 20,
        "every byte": bytes(range(256)),
        "cut": "owl é".encode()[:-1],
        "surrogate": "\ud800".encode("utf-8", "surrogatepass"),
        "library": Path(torch.__file__).read_bytes()[:2000],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in contents]


@pytest.mark.parametrize("which", range(len(KINDS)))
def test_every_file_of_a_folder_comes_back(models, binaries, which: int) -> None:
    for path in binaries:
        data = path.read_bytes()
        archive = compress(data, models[which])
        assert decompress(archive, models[which]) == data
        assert len(archive) <= len(data) + 70, path.name


def test_blocks_carry_the_text_on(models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charlm.compression.blocks.BLOCK", 16)
    noise = random.Random(1).randbytes(40)
    data = b"owl and the owl, a 3 of owls.\n" * 4 + noise + b"owl and the owl, a 3 of owls.\n" * 2
    for model in models:
        assert decompress(compress(data, model), model) == data
        archive = compress(data, model, dynamic=True)
        assert decompress(archive, model) == data


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_size_is_what_evaluation_promises(models, write, sentences: str, which: int, dynamic: bool) -> None:
    model = models[which]
    data = (sentences[:3000] + "é is unknown").encode()
    config = DynamicConfig() if dynamic else None
    scored = model.evaluate(write(data), dynamic=config, corpus={"documents": "file", "separator": None})
    model = replace(model, checkpoint=replace(model.checkpoint, corpus=None))  # one document
    promised = scored.nats / math.log(2) / 8
    archive = compress(data, model, dynamic=dynamic)
    spare = len(archive) - promised
    assert -20 < spare < 64 + promised / 1000


def test_lines_cost_what_evaluation_says(models, write) -> None:
    model = models[3]
    data = b"owl and the owl, a 3 of owls.\n" * 100
    promised = model.evaluate(write(data)).nats / math.log(2) / 8
    for content in (data, data.replace(b"\n", b"\r\n")):
        archive = compress(content, model)
        assert decompress(archive, model) == content
        assert -10 < len(archive) - promised < 64 + promised / 1000


def test_a_model_in_the_archive_is_enough(models) -> None:
    archive = compress(b"owl and the owl", models[0], self_contained=True)
    assert decompress(archive) == b"owl and the owl"
    assert decompress(archive, models[0]) == b"owl and the owl"
    with pytest.raises(ArchiveError, match="has no model in it"):
        decompress(compress(b"owl", models[0]))


def test_another_model_is_refused(models) -> None:
    archive = compress(b"owl", models[0])
    digests = {model_digest(model) for model in models}
    assert len(digests) == len(models)
    with pytest.raises(ArchiveError, match=r"made with another model than model\.safetensors; pass --model"):
        decompress(archive, models[1])
    with pytest.raises(ArchiveError, match=r"than model\.safetensors; leave out --model"):
        decompress(compress(b"owl", models[0], self_contained=True), models[1])


def test_another_machine_is_refused(models) -> None:
    archive = compress(b"owl and the owl", models[0], dynamic=True)
    torch.set_num_threads(2)
    with pytest.raises(ArchiveError, match=r"threads 1, and this is .* threads 2; decompress it there"):
        decompress(archive, models[0])


def test_what_excludes_what(models, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--portable and --dynamic exclude each other"):
        compress(b"owl", models[0], portable=True, dynamic=True)
    monkeypatch.setattr("charlm.compression.predictors.portable_stepper", lambda model: None)
    with pytest.raises(ConfigError, match="--portable needs convolutions or a cell with a compiled form"):
        compress(b"owl", models[0], portable=True)
    archive = compress(b"owl", models[0])
    assert decompress(archive, models[0]) == b"owl"


def test_an_archive_whose_model_is_no_model_names_no_other_file() -> None:
    archive = write_archive(Header(model=bytes(8), length=0, own_model=b"a model"), [], bytes(32))
    with pytest.raises(ArchiveError, match=r"^the model in the archive is not a model file"):
        decompress(archive)
