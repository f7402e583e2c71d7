"""What all pages share."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from charlm.analysis.html.template import fill_template, read_part

FOLDER = Path(__file__).parents[3] / "charlm" / "analysis" / "html"
TEMPLATES = sorted(path.name for path in FOLDER.glob("*.html"))
VOID = {"meta", "hr", "br"}


class Elements(HTMLParser):
    """Collects elements, and fails if one isn't closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.title += data if self.open[-1:] == ["title"] else ""


@pytest.fixture(params=TEMPLATES)
def made(request: pytest.FixtureRequest) -> str:
    return fill_template(request.param, title="<a> & @DATA@", about="b < c", data=["</script>"], body="<p>body</p>")


def test_a_page_is_valid_and_fits_a_phone(made: str) -> None:
    elements = Elements()
    elements.feed(made)
    elements.close()
    assert elements.open == [] and made.startswith("<!doctype html>")
    assert elements.title == "<a> & @DATA@"
    assert ("html", {"lang": "en"}) in elements.seen
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in elements.seen
    assert [tag for tag, _ in elements.seen][:3] == ["html", "head", "meta"]
    ids = [attributes["id"] for _, attributes in elements.seen if "id" in attributes]
    assert len(ids) == len(set(ids)) and {"tip", "cursor"} <= {*ids}


def test_a_page_needs_no_network_and_holds_its_data(made: str) -> None:
    assert not re.search(r"https?:|src=|@import|url\(", made)
    assert not re.search("@[A-Z]+@", made.replace("@DATA@", "", 2))
    assert json.loads(re.search(r'id="data">(.*?)</script>', made, re.DOTALL)[1]) == ["</script>"]


def test_a_page_answers_to_the_mouse_to_touch_and_to_keys(made: str) -> None:
    for event in ("pointerover", "click", "keydown", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Escape"):
        assert event in made
    assert "explore(text, " in made and ":focus-visible" in made and "prefers-color-scheme: dark" in made


def test_colours_are_in_the_style_alone() -> None:
    for name in (*TEMPLATES, "tokens.js"):
        assert not re.search(r"rgba?\(|#[0-9a-f]{3}\b|#[0-9a-f]{6}\b", read_part(name)), name
    for path in FOLDER.parents[1].rglob("*.py"):
        assert not re.search(r"Color\.from_rgb\(\d|38;[25];\d", path.read_text(encoding="utf-8")), path
