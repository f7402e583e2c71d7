import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from charlm.config import ModelConfig
from charlm.errors import CharlmError, ModelFileError
from charlm.files import atomic_write
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.storage.checkpoint import Checkpoint, load, save
from charlm.storage.provenance import TextFacts, TrainingFacts
from charlm.storage.resume_file import load_resume_file
from charlm.tokenizers import CharTokenizer


def parts(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["charlm"])
    del description["sha256"], description["tensors_sha256"]  # the first files have none
    return description, safetensors.torch.load_file(path)


def rewrite(path: Path, description: object, tensors: dict[str, torch.Tensor]) -> None:
    text = description if isinstance(description, str) else json.dumps(description)
    safetensors.torch.save_file(tensors, path, {"charlm": text})


def test_a_model_comes_back(model_file: Path, text_facts: TextFacts, training_facts: TrainingFacts) -> None:
    found = load(model_file)
    assert found.model.config == ModelConfig(vocab_size=6, hidden_size=4, embedding_size=3)
    assert found.tokenizer.characters == "abc"
    assert found.corpus == text_facts
    assert found.training == training_facts
    assert not found.model.training
    expected = LanguageModel(found.model.config)
    expected.initialise(torch.Generator().manual_seed(1))
    for (name, one), other in zip(found.model.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_nothing_is_pickled(model_file: Path) -> None:
    content = model_file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert json.loads(content[8 : 8 + length])["__metadata__"].keys() == {"charlm"}


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, 1500, -1])
def test_a_file_cut_short_is_an_error(model_file: Path, length: int) -> None:
    model_file.write_bytes(model_file.read_bytes()[:length])
    with pytest.raises(ModelFileError) as error:
        load(model_file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 this is a zip file, as torch makes them", "is not a model file"),
        (struct.pack("<Q", 10 * 2**30) + b'{"a":1}', "its header should take 10,737,418,240 bytes"),
        (struct.pack("<Q", 2**63) + b"{}", "its header should take"),
        (struct.pack("<Q", 2) + b"{}", "not a charlm model"),
        (struct.pack("<Q", 5) + b"{oops", "damaged or cut short"),
    ],
)
def test_a_foreign_or_hostile_file_is_an_error(model_file: Path, content: bytes, said: str) -> None:
    model_file.write_bytes(content)
    with pytest.raises(ModelFileError, match=said):
        load(model_file)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        load(tmp_path / "nothing.safetensors")


def label(name: str) -> dict:
    return {"name": name, "values": ["x", "y"], "documents": [1, 2]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d, t: d.update(version=99), "has format version 99"),
        (lambda d, t: d.pop("version"), "its description is invalid"),
        (lambda d, t: d.pop("model"), "has no 'model'"),
        (lambda d, t: d["model"].update(hidden_size=5), "not floating point"),
        (lambda d, t: d["model"].update(num_layers=10**9), "--layers is 1000000000"),
        (lambda d, t: d["model"].update(cell="transformer"), "choose one of"),
        (lambda d, t: d["model"].update(colour="red"), "no setting 'colour'"),
        (lambda d, t: d["model"].update(labels=[1]), "labels can't be"),
        (lambda d, t: d["model"].update(labels=[label("a")]), "weights 'labels.vectors' are missing"),
        (lambda d, t: d["model"].update(labels=[label("a"), label("a")]), "two labels have the same name"),
        (lambda d, t: d["model"].update(labels=[label("a") | {"values": ["x", "x"]}]), "is listed twice"),
        (lambda d, t: d["model"].update(labels=[label("a") | {"documents": [-1, 2]}]), "needs a number of documents"),
        (lambda d, t: d["model"].update(labels=[label("a") | {"documents": [1]}]), "needs a number of documents"),
        (lambda d, t: d["model"].update(labels=[label("a\nb")]), "each a line that is not empty"),
        (lambda d, t: d["model"].update(labels=[label("a") | {"values": ["", "x"]}]), "each a line that is not empty"),
        (lambda d, t: d["model"].update(labels=[label(str(n)) for n in range(501)]), "the labels have 1,002 values"),
        (lambda d, t: d["model"].update(vocab_size=60000), "tokenizer has 6 tokens and its model 60000"),
        (lambda d, t: d["tokenizer"].update(characters="abcd"), "tokenizer has 7 tokens"),
        (lambda d, t: d.update(tokenizer=[]), "unknown tokenizer None"),
        (lambda d, t: d.update(corpus="x"), "TextFacts must be an object"),
        (lambda d, t: d.update(corpus={"name": "x"}), "TextFacts lacks bytes"),
        (lambda d, t: d["corpus"]["config"].update(documents="xx"), "documents can't be 'xx'"),
        (lambda d, t: d.update(training=[]), "TrainingFacts must be an object"),
        (lambda d, t: d.update(training={"config": {}}), "a run needs a length"),
        (lambda d, t: d["training"].update(step="three"), "step can't be 'three'"),
        (lambda d, t: t.pop("embedding"), "weights 'embedding' are missing"),
        (lambda d, t: t.update(embedding=torch.zeros(6, 4)), "'embedding' is torch.float32"),
        (lambda d, t: t.update(embedding=torch.zeros(6, 3, dtype=torch.int64)), "'embedding' is torch.int64"),
        (lambda d, t: t.update(embedding=torch.full((6, 3), float("nan"))), "not finite"),
        (lambda d, t: t.update(embedding=torch.zeros(6, 3, dtype=torch.float64)), "different number types"),
    ],
)
def test_a_file_that_contradicts_itself_is_an_error(model_file: Path, change, said: str) -> None:
    description, tensors = parts(model_file)
    change(description, tensors)
    rewrite(model_file, description, tensors)
    with pytest.raises(ModelFileError, match=said) as error:
        load(model_file)
    assert str(error.value).startswith(str(model_file)) and "\n" not in str(error.value)


def test_every_bit_of_the_weights_counts(model_file: Path) -> None:
    sound = model_file.read_bytes()
    for place in (-1, -100, -400):
        content = bytearray(sound)
        content[place] ^= 1
        model_file.write_bytes(content)
        with pytest.raises(ModelFileError, match="its weights differ from those that were saved; use another copy"):
            load(model_file)


def test_a_model_that_tells_nothing_of_its_origin_is_read(model_file: Path) -> None:
    description, tensors = parts(model_file)
    rewrite(model_file, description | {"corpus": {}, "training": {}}, tensors)
    assert (load(model_file).corpus, load(model_file).training) == (None, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("ngram/frequent"), "n-grams of its context vectors are missing"),
        (lambda t: t.pop("ngram/weights"), "'weights'"),
        (lambda t: t.update({"ngram/frequent": t["ngram/frequent"].bfloat16()}), "can't be read"),
        (lambda t: t.update({"contexts.vectors": torch.zeros(9, 3)}), "'contexts.vectors' is torch.float32"),
    ],
)
def test_ngrams_that_contradict_the_model_are_an_error(tmp_path: Path, change, said: str) -> None:
    model = LanguageModel(ModelConfig(vocab_size=6, hidden_size=4, embedding_size=3, ngram_order=3, context_vectors=4))
    model.initialise(torch.Generator().manual_seed(1))
    model.build_on(NgramModel.fit(np.array([1, *[3, 4, 5, 3] * 9, 2]), order=3, vocab_size=6, bos=1))
    path = tmp_path / "model.safetensors"
    save(path, Checkpoint(model=model, tokenizer=CharTokenizer("abc")))
    assert np.array_equal(load(path).model.contexts.rows, model.contexts.rows)
    description, tensors = parts(path)
    change(tensors)
    rewrite(path, description, tensors)
    with pytest.raises(ModelFileError, match=said) as error:
        load(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_a_description_that_is_no_object_is_an_error(model_file: Path, text: str) -> None:
    rewrite(model_file, text, parts(model_file)[1])
    with pytest.raises(ModelFileError, match="its description is invalid"):
        load(model_file)


def test_a_model_file_is_no_resume_file(model_file: Path) -> None:
    with pytest.raises(ModelFileError, match="--init-from"):
        load_resume_file(model_file)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    atomic_write(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CharlmError, match="No space left on device; the old file is kept"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_disk_that_fills_leaves_the_old_checkpoint(model_file: Path, training_facts: TrainingFacts) -> None:
    """For real: the process may write no file larger than 1,000 bytes."""
    before = model_file.read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from charlm.storage.checkpoint import load, save\n"
        "from charlm.errors import CharlmError\n"
        "path = Path(sys.argv[1]); loaded = load(path)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save(path, loaded)\n"
        "except CharlmError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(model_file)], capture_output=True, text=True, check=True)
    assert "can't write" in done.stdout and "the old file is kept" in done.stdout
    assert model_file.read_bytes() == before
    assert load(model_file).training == training_facts
    assert [other.name for other in model_file.parent.iterdir() if other.suffix == ".tmp"] == []
