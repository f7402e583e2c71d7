"""Tests of what is compiled look into the folder of compiled libraries, so each has its own."""

from pathlib import Path

import pytest


@pytest.fixture
def native_folder(tmp_path: Path) -> Path:
    """Where compiled libraries are kept: a folder of this test alone."""
    folder = tmp_path / "native"
    folder.mkdir()
    return folder
