import numpy as np
import pytest
import torch

from charlm.analysis.probing.features import Block, blocks, features
from charlm.cells import CELLS
from charlm.model.language_model import LanguageModel
from charlm.model.layers import reference_states
from charlm.tokenizers import CharTokenizer

LETTERS = CharTokenizer(" abcdef")


@pytest.fixture
def small(network):
    """Make a model of two layers of a cell."""

    def small(cell: str, **shape) -> LanguageModel:
        sizes = {"vocab_size": LETTERS.vocab_size, "hidden_size": 6, "embedding_size": 4, "num_layers": 2}
        return network(cell=cell, **(sizes | shape)).eval()

    return small


def by_hand(model: LanguageModel, text: str) -> np.ndarray:
    """One document by the cells' equations, alone."""
    ids = torch.tensor([LETTERS.bos, *LETTERS.encode(text, unknown="replace").tolist()])
    x = model.embedding[ids][:, None]
    found = []
    for index, layer in enumerate(model.recurrent.layers):
        state = model.initial_state(1)[index]
        held, _ = reference_states(model.recurrent.cell, x, state, dict(layer.named_parameters()))
        found += [part for values in held.values() for part in (values[-1, 0], values[:, 0].mean(0))]
        x = x + held["h"] if index and model.recurrent.residual else held["h"]
    return torch.cat(found).detach().numpy()


@pytest.mark.parametrize("cell", CELLS)
def test_a_document_is_read_as_if_alone(small, cell: str) -> None:
    model = small(cell, skip="residual")
    documents = ["abc", "", "fade a bad bed", "a", "dead beef cafe", "a?b", "bad", "abcdabcd"]
    found = [*features(model, LETTERS, documents, batch_size=3, window=4, sorted_together=5)]
    assert len(found) == len(documents)
    for vector, text in zip(found, documents, strict=True):
        np.testing.assert_allclose(vector, by_hand(model, text), rtol=1e-4, atol=1e-6)


def test_blocks_name_the_numbers(small) -> None:
    model = small("lstm")
    assert blocks(model)[:4] == [
        Block(0, "h", "final"),
        Block(0, "h", "mean"),
        Block(0, "c", "final"),
        Block(0, "c", "mean"),
    ]
    assert len(blocks(model)) == 8
    assert {block.state for block in blocks(small("gru"))} == {"h"}


def test_progress_counts_documents_and_nothing_is_held_back(small) -> None:
    told = []
    documents = (text for text in ["ab"] * 300)
    found = [*features(small("gru"), LETTERS, documents, total=300, progress=lambda *now: told.append(now))]
    assert len(found) == 300
    assert told[-1] == ("reading documents", 300, 300)
    assert [*features(small("gru"), LETTERS, [])] == []
