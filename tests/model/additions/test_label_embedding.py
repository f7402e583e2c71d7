"""Labels are part of the state of a text: their vectors are added to what the first layer reads, and nowhere else."""

import numpy as np
import pytest
import torch

from charlm.cells import CELLS
from charlm.config import LabelColumn
from charlm.data.windows import document_windows
from charlm.errors import ConfigError
from charlm.model.additions.label_embedding import LEFT_OUT, find_label, parse_labels

STARS = LabelColumn(name="stars", values=("1", "5"), documents=(3, 1))
WHO = LabelColumn(name="a=b", values=("ann", "x,y", "c:0.5"), documents=(1, 1, 1))


@pytest.fixture
def labelled(network):
    """Make a network with the labels above, whose vectors are not zero."""

    def labelled(**shape):
        model = network(labels=(STARS, WHO), **shape)
        with torch.no_grad():
            model.labels.vectors.normal_(generator=torch.Generator().manual_seed(5))
        return model

    return labelled


SHAPES = [*({"cell": cell} for cell in CELLS), {"network": "transformer", "heads": 2}, {"network": "convolution"}]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.get("cell", shape.get("network")))
def test_every_network_reads_the_label_with_every_token(labelled, shape: dict) -> None:
    model = labelled(**shape).eval()
    ids = torch.tensor([[1, 2], [3, 4], [5, 6]])  # (T, B)
    plain, _ = model(ids)
    codes = np.array([[1, 0], [2, 4]], np.uint16)
    found, states = model(ids, model.initial_state(2, codes))
    assert not torch.allclose(plain, found)
    for row, added in enumerate((model.labels.vectors[0], model.labels.vectors[1] + model.labels.vectors[3])):
        shifted = labelled(**shape).eval()
        with torch.no_grad():
            shifted.embedding += added
        expected, _ = shifted(ids[:, row : row + 1])
        torch.testing.assert_close(found[:, row : row + 1], expected)
    fixed = model.with_labels(torch.tensor([0.0, 1, 0, 1, 0]))
    torch.testing.assert_close(fixed(ids[:, 1:])[0], found[:, 1:])
    again, _ = model(ids[1:], states)
    torch.testing.assert_close(again, model(torch.cat((ids, ids[1:])), model.initial_state(2, codes))[0][3:])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.get("cell", shape.get("network")))
def test_a_label_changes_nothing_before_it_is_learnt(network, shape: dict) -> None:
    """So a network that has learnt from another text predicts as before."""
    model, ids = network(labels=(STARS, WHO), **shape).eval(), torch.tensor([[1, 2], [3, 4]])
    labelled, _ = model(ids, model.initial_state(2, np.array([[1, 0], [2, 3]], np.uint16)))
    torch.testing.assert_close(labelled, model(ids)[0], rtol=0, atol=0)


def test_a_text_without_labels_is_read_as_by_a_model_without(network) -> None:
    ids = torch.tensor([[1], [2]])
    torch.testing.assert_close(network(labels=(STARS,))(ids)[0], network()(ids)[0], rtol=0, atol=0)


def test_labels_reach_windows_and_gradients(labelled, corpus_of, dataset_of, labelled_reviews) -> None:
    dataset = dataset_of(
        labelled_reviews.read_bytes(), documents="record", text_column="text", label_column=("stars", "author")
    )
    (stars, author), split = dataset.labels, dataset.test
    parts = [(len(part.texts), dict(part.labels)["stars"]) for part in dataset.corpus.split_parts("test")]
    expected = [[stars.values.index(value) + 1] for number, value in parts for _ in range(number)]
    assert split.labels[:, :1].tolist() == expected and len({*map(tuple, expected)}) == 3
    assert author.values == ("ann", "bob") and 0 in split.labels[:, 1]
    model = labelled(vocab_size=dataset.tokenizer.vocab_size)
    windows = [*document_windows(split, batch_size=4, seq_len=9)]
    for window in windows:
        rows = np.searchsorted(split.starts, window.starts, side="right") - 1
        assert window.fresh == (window.labels is not None)
        assert window.labels is None or (window.labels == split.labels[rows]).all()
    model(windows[0].ids, model.carry(None, windows[0]))[0].sum().backward()
    assert model.labels.vectors.grad.abs().sum(1)[:2].min() > 0


def test_some_labels_are_left_out_in_training_only(labelled) -> None:
    model, generator = labelled(), torch.Generator().manual_seed(1)
    codes = np.tile(np.array([[1, 3]], np.uint16), (4000, 1))
    (kept,) = model.initial_state(4000, codes, generator)[-1]
    shares = [float((kept.sum(1) == number).float().mean()) for number in (0, 1, 2)]
    alone = LEFT_OUT * (1 - LEFT_OUT)
    assert shares[0] == pytest.approx(LEFT_OUT + (1 - LEFT_OUT) * LEFT_OUT**2, abs=0.02)
    assert shares[1] == pytest.approx(2 * alone * (1 - LEFT_OUT), abs=0.03)
    model.eval()
    (kept,) = model.initial_state(4000, codes, generator)[-1]
    assert (kept.sum(1) == 2).all()


@pytest.mark.parametrize(
    ("texts", "factors"),
    [
        ([], [0, 0, 0, 0, 0]),
        (["stars=5"], [0, 1, 0, 0, 0]),
        (["stars=5", "a=b=ann"], [0, 1, 1, 0, 0]),
        (["stars=1,5"], [0.5, 0.5, 0, 0, 0]),
        (["stars=1:0.25,5:-1"], [0.25, -1, 0, 0, 0]),
        (["a=b=x,y"], [0, 0, 0, 1, 0]),
        (["a=b=c:0.5"], [0, 0, 0, 0, 1]),
        (["a=b=c:0.5:2"], [0, 0, 0, 0, 2]),
    ],
)
def test_labels_are_parsed(texts: list[str], factors: list[float]) -> None:
    assert parse_labels(texts, (STARS, WHO)).tolist() == factors


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["stars=4"], "the model doesn't know stars=4; its values are 1, 5"),
        (["a=b=anna"], "the model doesn't know a=b=anna; did you mean ann?"),
        (["star=5"], "the model has no label 'star'; did you mean stars?"),
        (["mood=5"], "the model has no label 'mood'; its labels are stars, a=b"),
        (["5"], "the model has no label '5'; its labels are stars, a=b"),
        (["stars"], "--label is 'stars'; give NAME=VALUE, such as stars=1"),
        (["stars=1:x,5:1"], "the model doesn't know stars=1:x"),
        (["stars=1:nan"], "--label stars has the factor nan; give a number up to 100"),
        (["stars=1,5:1"], "--label stars: '1' has no factor; give one to each value, as in 1:0.5"),
        (["stars="], "the model doesn't know stars="),
        (["stars=1", "stars=5"], "--label stars is given twice"),
    ],
)
def test_other_labels_are_errors(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_labels(texts, (STARS, WHO))
    assert str(error.value).startswith(said)


def test_a_label_is_found_by_its_name() -> None:
    assert find_label(None, (STARS,)) == find_label("stars", (STARS, WHO)) == STARS
    with pytest.raises(ConfigError, match="the model has no labels; train one with --label-column"):
        find_label(None, ())
