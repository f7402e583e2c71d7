"""The checksums of a model file cover all of it, and older files stay readable."""

import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from charlm.config import CorpusConfig, ModelConfig, TrainConfig
from charlm.errors import ModelFileError
from charlm.model.language_model import LanguageModel
from charlm.storage import digest
from charlm.storage.checkpoint import Checkpoint, load, save
from charlm.storage.direction import Direction, DirectionFacts
from charlm.storage.provenance import TextFacts, TrainingFacts
from charlm.storage.runs import PRETRAINED
from charlm.tokenizers import CharTokenizer

OLD = Path(__file__).parents[1] / "data" / "v0.1"
Description = dict[str, object]
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound model file."""
    model = LanguageModel(ModelConfig(vocab_size=8, hidden_size=4, embedding_size=3))
    model.initialise(torch.Generator().manual_seed(1))
    text = TextFacts(
        name="x", bytes=9, characters=9, documents=1, sha256="0" * 64, config=CorpusConfig(), boundaries=(8, 9, 9)
    )
    training = TrainingFacts(
        config=TrainConfig(steps=5),
        step=3,
        epoch=0.5,
        tokens=4,
        seconds=0.1,
        validation_nats_per_token=None,
        threads=1,
        device="cpu",
        torch="2.6.0",
        charlm="0.1.0",
    )
    path = tmp_path / "model.safetensors"
    save(path, Checkpoint(model=model, tokenizer=CharTokenizer("bcdef"), corpus=text, training=training))
    return path


def change(path: Path, edit: Callable[[Description, Tensors], object], *, sign: bool = False) -> None:
    """Edit a model file, and sign it anew if wanted."""
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["charlm"])
    tensors = safetensors.torch.load_file(path)
    edit(description, tensors)
    if sign:
        for key in digest.KEYS:
            description.pop(key)
        description = digest.signed(description, tensors)
    safetensors.torch.save_file(tensors, path, {"charlm": json.dumps(description)})


EDITS = [
    lambda d, t: d["tokenizer"].update(characters="acdef"),
    lambda d, t: d["tokenizer"].update(characters="bcdeg"),
    lambda d, t: d["model"].update(dropout=0.2),
    lambda d, t: d["model"].update(skip="residual"),
    lambda d, t: d["corpus"].update(characters=10, boundaries=[8, 9, 10]),
    lambda d, t: d["corpus"]["config"].update(direction="backward"),
    lambda d, t: d["training"].update(validation_nats_per_token=0.5),
    lambda d, t: d.update(charlm="0.2.0"),
    lambda d, t: d.update(sha256="0" * 64),
    lambda d, t: d.update(sha256=None),
    lambda d, t: d.update(tensors_sha256="0" * 64),
    lambda d, t: d.pop("tensors_sha256"),
    lambda d, t: d.update(resume={}),
    lambda d, t: t.update(output_bias=t["output_bias"].double()),
    lambda d, t: t.update(more=torch.zeros(0)),
]


@pytest.mark.parametrize("edit", EDITS)
def test_every_change_is_an_error(path: Path, edit: Callable[[Description, Tensors], object]) -> None:
    change(path, edit)
    with pytest.raises(ModelFileError, match=r"is damaged: its (description|weights) differs? from") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_key_that_is_no_checksum_any_more_is_an_error(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b', \\"sha256\\": \\"', b', \\"sha255\\": \\"'))
    with pytest.raises(ModelFileError, match="its description has the unknown key 'sha255'"):
        load(path)


def test_every_byte_of_the_header_counts(path: Path) -> None:
    """One letter changed anywhere is an error, or changes nothing."""
    sound = path.read_bytes()
    expected = load(path)
    (length,) = struct.unpack("<Q", sound[:8])
    for place in range(8, 8 + length, 3):
        content = bytearray(sound)
        content[place] ^= 1
        path.write_bytes(content)
        try:
            found = load(path)
        except ModelFileError as error:
            assert "\n" not in str(error)
        else:
            same = (found.tokenizer.to_json(), found.model.config, found.corpus, found.training)
            assert same == (expected.tokenizer.to_json(), expected.model.config, expected.corpus, expected.training)


def test_a_signed_file_has_all_checksums(path: Path) -> None:
    change(path, lambda d, t: d["tokenizer"].update(characters="abcde"), sign=True)
    assert load(path).checked == "all" and load(path).tokenizer.to_json()["characters"] == "abcde"


def test_the_order_of_keys_does_not_count(path: Path) -> None:
    def reverse(description: Description, tensors: Tensors) -> None:
        items = [*description.items()]
        description.clear()
        description.update(reversed(items))

    change(path, reverse)
    assert load(path).checked == "all"


@pytest.mark.parametrize(("keys", "checked"), [(("sha256",), "weights"), (("sha256", "tensors_sha256"), "nothing")])
def test_a_file_with_older_checksums_is_read(path: Path, caplog, keys: tuple[str, ...], checked: str) -> None:
    change(path, lambda d, t: [d.pop(key) for key in keys])
    with caplog.at_level(logging.INFO):
        assert load(path).checked == checked
    assert caplog.messages == [f"the checksum of {path}, made by an older charlm, covers {checked}"]
    save(path, load(path))
    assert load(path).checked == "all"


@pytest.mark.parametrize("file", [OLD / "finished" / "model.safetensors", PRETRAINED / "reviews" / "model.safetensors"])
def test_files_of_the_first_release_are_read_without_a_warning(file: Path, caplog) -> None:
    assert load(file).checked == "weights"
    assert caplog.messages == []


HUGE = 10**400


@pytest.mark.parametrize(
    "edit",
    [
        lambda d, t: d["corpus"]["config"].update(splits=[HUGE, 5, 5]),
        lambda d, t: d["corpus"]["config"].update(splits=[90, 10]),
        lambda d, t: d["corpus"].update(bytes=HUGE),
        lambda d, t: d["corpus"].update(bytes=-1),
        lambda d, t: d["corpus"].update(boundaries=[9]),
        lambda d, t: d["corpus"].update(boundaries=[9, 8, 9]),
        lambda d, t: d["corpus"].update(boundaries=[0, 0, HUGE]),
        lambda d, t: d["model"].update(hidden_size=HUGE),
        lambda d, t: d["model"].update(dropout=HUGE),
        lambda d, t: d["model"].update(forget_bias=float("nan")),
        lambda d, t: d["training"].update(seconds=float("inf")),
        lambda d, t: d["training"].update(seconds=-1),
        lambda d, t: d["training"].update(step=2**63),
        lambda d, t: d["training"]["config"].update(minutes=HUGE),
        lambda d, t: d["training"]["config"].update(seed=HUGE),
        lambda d, t: d["tokenizer"].update(kind=[[]]),
        lambda d, t: d["tokenizer"].update(characters=HUGE),
        lambda d, t: d.update(version=HUGE),
        lambda d, t: d.update(model=[]),
    ],
)
def test_values_that_do_not_fit_are_an_error_of_one_short_line(path: Path, edit) -> None:
    change(path, edit, sign=True)
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 400


def test_missing_settings_of_training_are_the_defaults(path: Path) -> None:
    change(path, lambda d, t: d["training"]["config"].pop("clip"), sign=True)
    assert load(path).training.config.clip == 1.0


@pytest.mark.parametrize("depth", [100, 900, 990, 100_000])
def test_nesting_of_any_depth_is_an_error(path: Path, depth: int) -> None:
    tensors = safetensors.torch.load_file(path)
    text = f'{{"version": 1, "sha256": "", "corpus": {"[" * depth}{"]" * depth}}}'
    safetensors.torch.save_file(tensors, path, {"charlm": text})
    with pytest.raises(ModelFileError, match="is damaged: its description"):
        load(path)


def test_every_byte_of_a_direction_counts(tmp_path: Path) -> None:
    facts = DirectionFacts(
        name="mood",
        kind="unit",
        layer=0,
        state="h",
        mean=0.25,
        scale=0.5,
        negative="bad",
        positive="good",
        model_sha256="0" * 64,
    )
    path = tmp_path / "mood.safetensors"
    Direction(facts, np.array([0, 0, 1], np.float32)).save(path)
    sound, expected = path.read_bytes(), Direction.load(path)
    for place in range(len(sound)):
        content = bytearray(sound)
        content[place] ^= 1
        path.write_bytes(content)
        try:
            found = Direction.load(path)
        except ModelFileError as error:
            assert "\n" not in str(error)
        else:
            assert found.facts == expected.facts and np.array_equal(found.vector, expected.vector)


def test_a_direction_without_a_checksum_is_read() -> None:
    assert Direction.load(PRETRAINED / "reviews" / "directions" / "sentiment.safetensors").facts.kind == "weighted"
    assert Direction.load(OLD / "finished" / "directions" / "mood.safetensors").facts.name == "mood"
