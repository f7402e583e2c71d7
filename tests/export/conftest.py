"""Exported pages: their scripts run under Node.js, and whole pages in headless Chromium, where there are these."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import new_page

from charlm.export import Export, export_page
from charlm.loading import load
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint
from charlm.text_model import TextModel
from charlm.tokenizers import Tokenizer

_DRIVER = Path(__file__).with_name("driver.mjs")
_PRIOR = {"ngram_order": 6, "context_vectors": 40, "match": True, "recent": True}


@pytest.fixture(scope="session")
def in_node() -> Callable[..., dict[str, Any]]:
    """Run the scripts of a page: what they make of texts to read, settings to write with, and texts to encode."""

    def in_node(export: Export, folder: Path, **request: Any) -> dict[str, Any]:
        if shutil.which("node") is None:
            pytest.skip("there is no Node.js to run the page's scripts; install Debian's package nodejs")
        page = folder / "page.html"
        page.write_text(export.page, encoding="utf-8")
        run = subprocess.run(
            ["node", _DRIVER], input=json.dumps({"page": str(page), **request}), capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        values: dict[str, Any] = json.loads(run.stdout)
        return values

    return in_node


@pytest.fixture
def exported(trained_run: Callable[..., Path], small_shape: dict[str, Any]) -> Callable[..., Export]:
    """The page of a small trained model with everything that a model can have."""
    run: Path | None = None

    def exported(**options: Any) -> Export:
        nonlocal run
        run = run or trained_run(model=small_shape | _PRIOR)
        return export_page(load(run), **options)

    return exported


@pytest.fixture(scope="session")
def text_model() -> Callable[[LanguageModel, Tokenizer], TextModel]:
    """A model with a tokenizer, as if it had been loaded from a file."""

    def text_model(model: LanguageModel, tokenizer: Tokenizer) -> TextModel:
        return TextModel(path=Path("model.safetensors"), checkpoint=Checkpoint(model=model.eval(), tokenizer=tokenizer))

    return text_model


@pytest.fixture
def page_in_browser(browser: Any, exported: Callable[..., Export], tmp_path: Path) -> Iterator[Any]:
    """The page of a small model in Chromium, ready to be used; it must report no error and request nothing."""
    file = tmp_path / "page.html"
    file.write_text(exported(title="Cats & <owls>").page, encoding="utf-8")
    with new_page(browser, file.as_uri()) as (page, problems):
        page.goto(file.as_uri())
        page.wait_for_selector("#start:not(:disabled)")
        yield page
    assert problems == []
