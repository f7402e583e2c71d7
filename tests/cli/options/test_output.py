import webbrowser
from pathlib import Path

import pytest

PAGES = {
    "heatmap": ["heatmap", "letter.txt"],
    "neurons": ["neurons", "letter.txt", "--tokens", "1200"],
    "compare": ["compare", "first", "first", "letter.txt"],
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser is asked to open, which it does."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


@pytest.fixture
def letter(run: str) -> None:
    """A text to read in the working folder, and a run."""
    Path("letter.txt").write_text("cat and the cat, a 3 of cats.\n" * 40)


@pytest.mark.usefixtures("letter")
@pytest.mark.parametrize(
    "options",
    [
        ["neurons", "letter.txt", "--tokens", "60", "--html"],
        ["heatmap", "letter.txt", "--html"],
        ["curves", "--plot"],
        ["score", "letter.txt", "--models"],
        ["sample", "--syllables"],
        ["sample", "--prefix-file"],
    ],
    ids=lambda options: " ".join(options[:1] + options[-1:]),
)
@pytest.mark.parametrize("name", ["9" * 5000, "folder/" + "9" * 300], ids=["long", "long in a folder"])
def test_a_name_that_is_too_long_is_an_error(failed, options: list[str], name: str) -> None:
    assert "999" in failed(*options, name)


@pytest.mark.usefixtures("letter")
@pytest.mark.parametrize(
    ("command", "name"),
    [
        *((command, ".html") for command in ("heatmap letter.txt --html", "export --html")),
        ("features letter.txt --out", ".npy"),
        ("curves --plot", ".png"),
    ],
)
def test_a_name_that_is_only_a_suffix_is_an_error(failed, command: str, name: str) -> None:
    said = failed(*command.split(), name)
    assert f"{command.split()[-1]} is '{name}'" in said and "give a name" in said
    assert not Path(name).exists()


@pytest.mark.usefixtures("letter")
@pytest.mark.parametrize("command", ["heatmap letter.txt --html", "features letter.txt --out"])
def test_a_dash_is_no_file_name(failed, command: str) -> None:
    option = command.split()[-1]
    assert f"{option} is '-', and this file can't go to standard output" in failed(*command.split(), "-")
    assert not Path("-").exists()


@pytest.mark.usefixtures("letter")
@pytest.mark.parametrize("command", PAGES.values(), ids=PAGES)
def test_a_page_is_opened_only_on_request(charlm, failed, opened: list[str], command: list[str]) -> None:
    said = failed(*command, "--open")
    assert said == "error: --open opens the page that --html writes, and --html is missing; add --html FILE"
    charlm(*command, "--html", "a page.html")
    assert opened == []
    charlm(*command, "--html", "a page.html", "--open")
    assert opened == [Path("a page.html").absolute().as_uri()]


@pytest.mark.usefixtures("letter")
def test_a_machine_without_a_browser_is_no_error(charlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    shown = charlm("heatmap", "letter.txt", "--html", "page.html", "--open")
    assert "note: found no browser to open page.html" in shown.stderr and Path("page.html").exists()
