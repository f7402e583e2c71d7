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
    monkeypatch.setattr(kernels.compiled, "program_library", lambda *_: object() if compiled else None)
    with torch.set_grad_enabled(learning):
        assert kernels.prefers_torch_layer(cell, "cuda")
        assert kernels.prefers_torch_layer(cell, "cpu") == (not compiled or (cell == "lstm" and not learning))
        with torch.autocast("cpu", torch.bfloat16):
            assert not kernels.prefers_torch_layer(cell, "cpu")


def test_the_layers_of_cudnn_get_float16_inside_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    monkeypatch.setattr(kernels, "cudnn_layer", lambda *_, dtype: seen.append(dtype))
    x, weights = torch.empty(1, 1, 1, device="meta"), {"input": torch.empty(4, 1)}
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    kernels.TORCH_LAYERS["lstm"](x, (), weights)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: True)
    kernels.TORCH_LAYERS["lstm"](x, (), weights)
    assert seen == [torch.float32, torch.float16]
