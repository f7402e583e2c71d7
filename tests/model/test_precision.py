"""Which precision is chosen for a device, without the device."""

import pytest
import torch

from charlm import kernels
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel


class _OnDevice:
    """The parts of a model that the choice depends on, on a device that need not exist."""

    def __init__(self, kind: str) -> None:
        self.output_bias = torch.empty(1) if kind == "cpu" else _Weight(kind)
        self.network = type("Network", (), {"has_bfloat16_kernel": False})()


class _Weight:
    def __init__(self, kind: str) -> None:
        self.device = torch.device(kind)


@pytest.mark.parametrize(
    ("kind", "capability", "precision", "expected"),
    [
        ("cuda", (9, 0), "auto", True),
        ("cuda", (9, 0), "bfloat16", True),
        ("cuda", (9, 0), "float32", False),
        ("cuda", (7, 5), "auto", False),
        ("cuda", (7, 5), "bfloat16", None),
        ("mps", (0, 0), "auto", False),
        ("mps", (0, 0), "bfloat16", None),
        ("cpu", (0, 0), "auto", False),
        ("cpu", (0, 0), "bfloat16", True),
    ],
)
def test_bfloat16_is_for_devices_that_have_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, capability: tuple[int, int], precision: str, expected: bool | None
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    model = _OnDevice(kind)
    if expected is None:
        with pytest.raises(ConfigError, match=f"--precision bfloat16: the device {kind} can't"):
            LanguageModel.computes_in_bfloat16(model, precision)
    else:
        assert LanguageModel.computes_in_bfloat16(model, precision) == expected


def test_the_layers_of_cudnn_get_float16_inside_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    monkeypatch.setattr(kernels, "cudnn_layer", lambda *_, dtype: seen.append(dtype))
    x, weights = torch.empty(1, 1, 1, device="meta"), {"input": torch.empty(4, 1)}
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    kernels.LAYERS["lstm"](x, (), weights)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: True)
    kernels.LAYERS["lstm"](x, (), weights)
    assert seen == [torch.float32, torch.float16]
