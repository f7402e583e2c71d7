"""A headless Chromium for the tests of pages, driven by playwright."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE = {"width": 1200, "height": 900}
PHONE = {"width": 360, "height": 740}


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextlib.contextmanager
def new_page(browser: Any, allowed: str) -> Iterator[tuple[Any, list[str]]]:
    """An empty page, and a list to which its errors are added, and the addresses that it asks for.

    Addresses that begin as `allowed`, and those of data in the page itself, are left out.
    """
    context = browser.new_context(reduced_motion="reduce", viewport=WIDE)
    page, problems = context.new_page(), list[str]()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: _is_own(request.url, allowed) or problems.append(f"asks for {request.url}"))
    yield page, problems
    context.close()


def violations(page: Any) -> list[str]:
    """What axe finds wrong with a page."""
    from axe_playwright_python.sync_playwright import Axe

    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in Axe().run(page).response["violations"]]


def _is_own(address: str, allowed: str) -> bool:
    return address.startswith((allowed, "blob:", "data:", "about:"))
