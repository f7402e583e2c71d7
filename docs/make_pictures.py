"""Take the pictures of the pages in docs/guide: of `charlm serve` light, dark and on a phone, and of `charlm export`.

Run it in a folder with two runs, such as those of

    charlm train python-docs --run lstm --minutes 1
    charlm train python-docs --run gru --cell gru --minutes 1

    python ROOT/docs/make_pictures.py

It needs the extra charlm-rnn[web], playwright, and Chromium.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 1000}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 1000}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 1000}},
}
PASSAGE = (
    "The film is a quiet, odd little thing, and I could not stop watching it. The actors are good, but the story is "
    "thin and the ending is a mess.\n\nStill, the zebra quartz fjord vexed me. I would watch it again with my family, "
    "and I would not recommend it to anyone else.\n"
)


def write(page: Any, origin: str) -> None:
    """Two texts, coloured, with the panel of alternatives."""
    page.goto(f"{origin}/?model=reviews&prefix=This+movie+is&seed=3&length=300&num=2")
    page.check("#colours")
    page.click("#write")
    page.wait_for_selector("text=2 texts written")
    page.locator(".sample [data-place='46']").first.click()
    page.wait_for_selector("#others:not([hidden])")
    page.evaluate("document.getElementById('others').scrollIntoView({ block: 'end' }); scrollBy(0, 8)")


def read(page: Any, origin: str) -> None:
    """The curve and the heat map of a passage."""
    page.goto(f"{origin}/read?model=reviews")
    page.wait_for_selector("main:not([aria-busy])")
    page.fill("#text", PASSAGE)
    page.click("button.main")
    page.wait_for_selector("#map .warm")
    page.evaluate("document.getElementById('map').scrollIntoView({ block: 'end' }); scrollBy(0, 24)")


def train(page: Any, origin: str) -> None:
    """Two runs laid over each other."""
    page.goto(f"{origin}/train")
    page.wait_for_selector("#losses svg")
    page.locator("#runs input:not(:checked)").first.click()
    page.wait_for_selector("#losses svg .dashed", state="attached")
    page.wait_for_selector("#losses .keys .c1")
    page.evaluate("document.getElementById('stop').scrollIntoView(); scrollBy(0, -14)")


def lecture(page: Any, origin: str) -> None:
    """The second step of a trained network."""
    page.goto(f"{origin}/lecture")
    page.wait_for_selector("main:not([aria-busy])")
    page.select_option("#cell", "gru")
    page.click("button.main")
    page.wait_for_selector("#trace:not([hidden])")
    page.click("#next")


PAGES = {"write": write, "read": read, "train": train, "lecture": lecture}


def exported(page: Any, view: str) -> None:
    """A view of an exported page."""
    page.wait_for_selector("#start:not(:disabled)")
    if view == "write":
        page.fill("#prefix", "def __init__(self")
        page.check("#colours")
        page.click("summary")
        page.fill("#seed", "11")
        if page.viewport_size["width"] < 600:
            page.click("summary")  # so that the text is in the picture
        page.click("#start")
        page.wait_for_selector("#copy:not(:disabled)")
    else:
        page.click("#tab-read")
        page.fill("#passage", "The module re has regular expressions.\n\nA quartz zebra has none, import it or not.\n")
        page.click("#start-reading")
        page.wait_for_selector("#read-scale:not([hidden])")
    page.evaluate("scrollTo(0, 0)")


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of `charlm serve` in this folder, with the token."""
    command = [sys.executable, "-m", "charlm", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Take all pictures."""
    sys.path.append(str(ROOT / "tests"))
    from browser import chromium

    import charlm
    from charlm.export import export_page

    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        with served() as address:
            parts = urlsplit(address)
            for look, options in LOOKS.items():
                page = browser.new_context(reduced_motion="reduce", **options).new_page()
                page.set_default_timeout(120_000)
                page.goto(address)
                for name, show in PAGES.items():
                    show(page, f"{parts.scheme}://{parts.netloc}")
                    page.screenshot(path=GUIDE / f"browser-{name}-{look}.png")
        file = Path(folder) / "page.html"
        file.write_text(export_page(charlm.load("lstm"), title="After the docs").page, encoding="utf-8")
        for look, options in LOOKS.items():
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(120_000)
            page.goto(file.as_uri())
            for view in ("write", "read"):
                exported(page, view)
                page.screenshot(path=GUIDE / f"export-{view}-{look}.png")


if __name__ == "__main__":
    main()
