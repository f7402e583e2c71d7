"""Fixtures for all tests. Uninitialised memory is filled with NaN, so that no test misses a weight that nobody set."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner, Result

from charlm.cli.app import app
from charlm.training.start import base

sys.path.append(str(Path(__file__).parent))

from browser import CHROMIUM, chromium

pytest_plugins = ("fixture_texts", "fixture_networks", "fixture_runs")

settings.register_profile("charlm", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("charlm")


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled libraries are kept: one folder for all tests of a session, whichever process they run in."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if folder.name.startswith("popen-") else folder) / "native"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, native_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test its own working folder and cache, but for compiled libraries, and restore torch's settings.

    Runs begin with new models, not with the bundled one of English, unless a test says so.
    """
    monkeypatch.setattr(base, "BASE", "missing")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "native").symlink_to(native_folder)
    monkeypatch.setenv("CHARLM_CACHE", str(cache))
    monkeypatch.setenv("NO_COLOR", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)  # fills torch.empty with NaN
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def one_thread() -> None:
    """One CPU thread, with which tiny models are fastest; `_isolated` restores the number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def charlm() -> Callable[..., Result]:
    """Run a command in this process, check its exit status, and give stdout and stderr apart."""

    def charlm(*arguments: object, status: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return charlm


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; tests are skipped without it. It ends with the module, since it occupies the event loop."""
    for package in ("playwright", "axe_playwright_python"):
        pytest.importorskip(package)
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open pages in; install Debian's package chromium")
    with chromium() as started:
        yield started
