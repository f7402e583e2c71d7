"""Which layer reads: torch's or charlm's."""

import pytest
import torch

from charlm import kernels


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru-reset-after"])
def test_torchs_layer_is_taken_where_it_is_the_faster(
    monkeypatch: pytest.MonkeyPatch, cell: str, learning: bool, compiled: bool
) -> None:
    monkeypatch.setattr(kernels, "_library", lambda cell: object() if compiled else None)
    with torch.set_grad_enabled(learning):
        assert kernels.prefers_layer(cell, "cuda")
        assert kernels.prefers_layer(cell, "cpu") == (not compiled or (cell == "lstm" and not learning))
        with torch.autocast("cpu", torch.bfloat16):
            assert not kernels.prefers_layer(cell, "cpu")
