import pytest
import torch

from charlm.errors import ConfigError
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel


def present(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    """Let torch see these devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "cpu"), (False, False, "cpu")],
)
def test_auto_is_cuda_if_there_is_one_and_never_mps(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    present(monkeypatch, cuda=cuda, mps=mps)
    assert pick_device("auto") == torch.device(expected)
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_named_device_is_taken_or_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    present(monkeypatch, cuda=name == "cuda", mps=name == "mps")
    assert pick_device(name) == torch.device(name)
    present(monkeypatch, cuda=name != "cuda", mps=name != "mps")
    with pytest.raises(ConfigError, match=f"--device {name}: torch sees no such device here"):
        pick_device(name)


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
