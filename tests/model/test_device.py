import pytest
import torch

from charlm.errors import ConfigError
from charlm.model.device import pick_device


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
