import pytest
import torch

from charlm.errors import ConfigError
from charlm.model.precision import computes_in_bfloat16


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
        with pytest.raises(ConfigError, match=f"--precision is bfloat16, which the device {kind} doesn't support"):
            computes_in_bfloat16(model, precision)
    else:
        assert computes_in_bfloat16(model, precision) == expected
