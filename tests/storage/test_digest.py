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

from charlm.errors import ModelFileError
from charlm.storage import digest
from charlm.storage.checkpoint import load, save
from charlm.storage.direction import Direction
from charlm.storage.runs import PRETRAINED

OLD = Path(__file__).parents[1] / "data" / "v0.1"
Description = dict[str, object]
Tensors = dict[str, torch.Tensor]


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
    lambda d, t: d["tokenizer"].update(characters="abd"),
    lambda d, t: d["tokenizer"].update(characters="bcd"),
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
def test_every_change_is_an_error(model_file: Path, edit: Callable[[Description, Tensors], object]) -> None:
    change(model_file, edit)
    with pytest.raises(ModelFileError, match=r"is damaged: its (description|weights) differs? from") as error:
        load(model_file)
    assert "\n" not in str(error.value)


def test_a_single_element_of_any_stride_has_the_hash_of_its_bytes() -> None:
    plain = torch.tensor([2.5])
    assert digest.tensors_sha256({"a": plain.as_strided((1,), (0,))}) == digest.tensors_sha256({"a": plain})


def test_a_key_that_is_no_checksum_any_more_is_an_error(model_file: Path) -> None:
    model_file.write_bytes(model_file.read_bytes().replace(b', \\"sha256\\": \\"', b', \\"sha255\\": \\"'))
    with pytest.raises(ModelFileError, match="its description has the unknown key 'sha255'"):
        load(model_file)


def test_every_byte_of_the_header_counts(model_file: Path) -> None:
    """One letter changed anywhere is an error, or changes nothing."""
    sound = model_file.read_bytes()
    expected = load(model_file)
    (length,) = struct.unpack("<Q", sound[:8])
    for place in range(8, 8 + length, 3):
        content = bytearray(sound)
        content[place] ^= 1
        model_file.write_bytes(content)
        try:
            found = load(model_file)
        except ModelFileError as error:
            assert "\n" not in str(error)
        else:
            same = (found.tokenizer.to_json(), found.model.config, found.corpus, found.training)
            assert same == (expected.tokenizer.to_json(), expected.model.config, expected.corpus, expected.training)


def test_a_signed_file_has_all_checksums(model_file: Path) -> None:
    change(model_file, lambda d, t: d["tokenizer"].update(characters="bcd"), sign=True)
    assert load(model_file).checked == "all" and load(model_file).tokenizer.to_json()["characters"] == "bcd"


def test_the_order_of_keys_does_not_count(model_file: Path) -> None:
    def reverse(description: Description, tensors: Tensors) -> None:
        items = [*description.items()]
        description.clear()
        description.update(reversed(items))

    change(model_file, reverse)
    assert load(model_file).checked == "all"


@pytest.mark.parametrize(("keys", "checked"), [(("sha256",), "weights"), (("sha256", "tensors_sha256"), "nothing")])
def test_a_file_with_older_checksums_is_read(model_file: Path, caplog, keys: tuple[str, ...], checked: str) -> None:
    change(model_file, lambda d, t: [d.pop(key) for key in keys])
    with caplog.at_level(logging.INFO):
        assert load(model_file).checked == checked
    assert caplog.messages == [f"the checksum of {model_file}, made by an older charlm, covers {checked}"]
    save(model_file, load(model_file))
    assert load(model_file).checked == "all"


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
def test_values_that_do_not_fit_are_an_error_of_one_short_line(model_file: Path, edit) -> None:
    change(model_file, edit, sign=True)
    with pytest.raises(ModelFileError) as error:
        load(model_file)
    assert str(error.value).startswith(str(model_file)) and "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(model_file)) + 400


def test_missing_settings_of_training_are_the_defaults(model_file: Path) -> None:
    change(model_file, lambda d, t: d["training"]["config"].pop("clip"), sign=True)
    assert load(model_file).training.config.clip == 1.0


@pytest.mark.parametrize("depth", [100, 900, 990, 100_000])
def test_nesting_of_any_depth_is_an_error(model_file: Path, depth: int) -> None:
    tensors = safetensors.torch.load_file(model_file)
    text = f'{{"version": 1, "sha256": "", "corpus": {"[" * depth}{"]" * depth}}}'
    safetensors.torch.save_file(tensors, model_file, {"charlm": text})
    with pytest.raises(ModelFileError, match="is damaged: its description"):
        load(model_file)


def test_every_byte_of_a_direction_counts(tmp_path: Path, mood: Direction) -> None:
    path = tmp_path / "mood.safetensors"
    mood.save(path)
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
