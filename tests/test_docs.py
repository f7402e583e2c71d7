"""What README and the guides show works: commands, Python and links. docs/python.md describes every public name."""

import dataclasses
import gzip
import inspect
import json
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, is_typeddict

import pytest
from torch.distributed.run import parse_args
from typer.core import TyperGroup
from typer.main import get_command

import charlm
from charlm.cli.app import app
from charlm.data.registry import NamedCorpus, file_source
from charlm.sampling.constraints.automata import lexicon

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/guide/student.md",
    "docs/guide/hobbyist.md",
    "docs/guide/export.md",
    "docs/guide/researcher.md",
    "docs/guide/score.md",
    "docs/guide/labels.md",
    "docs/guide/pairs.md",
    "docs/guide/constraints.md",
    "docs/guide/gradients.md",
    "docs/python.md",
)
PARSED_PAGES = ("docs/guide/inside.md", "docs/guide/browser.md", "docs/guide/clusters.md", "docs/guide/english.md")
"""Pages whose commands take minutes, need downloads or another network, or start processes: their options are checked,
but they don't run."""
OTHER_NETWORKS = [
    (page, network) for page in ("README.md", "docs/guide/hobbyist.md") for network in ("transformer", "convolution")
]
"""Pages that also run with other networks than recurrent ones."""
LOOKING_INSIDE = ("neurons", "probe", "features", "export")
TINY_MODEL = ("--hidden", "16")
TINY_RUN = ("--steps", "40", "--batch-size", "4", "--seq-len", "16", "--validations", "2")
LENGTHS = ("--minutes", "--epochs", "--steps")
SHELL = ("make", "python3", ".venv/bin/pip", "source", "zcat")
PYTHON_API = "docs/python.md"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block of a page that is run, in order."""
    for match in re.finditer(r"^```(console|python)\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def commands(block: str) -> list[list[str]]:
    """The commands that a console block shows after a prompt, without redirections of their output."""
    lines = block.replace("\\\n", " ").splitlines()
    shown = (shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ "))
    return [words[: words.index(">")] if ">" in words else words for words in shown]


def all_commands(page: str) -> list[list[str]]:
    return [words for language, block in blocks(page) if language == "console" for words in commands(block)]


def tiny(words: list[str]) -> list[str]:
    """The arguments of a command, with a tiny model and a run of a few steps."""
    name, *arguments = words
    if name == "diagnose":
        return [*words, "--steps", "3", "--lags", "20", "--hidden", "8"]
    if name == "trace":
        return [*words, "--steps", "20"]
    if name != "train":
        return words
    for option in LENGTHS:
        if option in arguments:
            del arguments[arguments.index(option) : arguments.index(option) + 2]
    if "--resume" in arguments:
        return [name, *arguments, "--steps", "60"]
    return [name, *arguments, *TINY_RUN, *(() if "--init-from" in arguments else TINY_MODEL)]


def looks_inside(words: list[str]) -> bool:
    """Whether a command looks at the recurrent units of a model that the page has trained."""
    steers = not {"--steer", "--compare-steer"}.isdisjoint(words)
    return words[0] in LOOKING_INSIDE or (steers and "reviews" not in words)


def tiny_python(code: str) -> str:
    """Python with a few steps instead of minutes, and some more for a run that is resumed."""
    code = re.sub(r"(resume\(.*)minutes=[\d.]+", r"\1steps=30", code)
    return re.sub(r"minutes=[\d.]+", "steps=20", code)


@pytest.fixture
def _texts(write: Callable[..., Path], sentences: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the pages name, and a short text instead of every named corpus."""
    text = write(sentences + "\nROMEO: I couldn't say. The owl, Q!\n\nI am the king of England.\n" + sentences)
    monkeypatch.setattr(NamedCorpus, "sources", lambda self, progress=None: [file_source(text)])
    dictionary = "".join(f"{onset}at {onset} AE1 T\n{onset}og {onset} AO1 G\n" for onset in "bchdflm")
    monkeypatch.setattr(lexicon, "download", lambda url, path, **_: path.write_text(dictionary))
    for name in (
        "novel.txt",
        "letter.txt",
        "colours.txt",
        "notes.txt",
        "docs-test.txt",
        "source-test.txt",
        "written.txt",
    ):
        Path(name).write_bytes(text.read_bytes())
    for name, separator in (("recipes.txt", "\n\n"), ("jokes.txt", "\n%%\n")):
        Path(name).write_text(sentences.replace("\n", separator))
    for name in ("words.txt", "common.txt"):
        Path(name).write_text("the\ncat\nowl\nand\na\ndog\n")
    schema = {"type": "object", "properties": {"mood": {"enum": ["sad"]}}, "required": ["mood"]}
    Path("speech.json").write_text(json.dumps(schema))
    Path("old.txt").write_bytes(("Облака плывут по небу.\n" * 200).encode("cp1251"))
    words = sentences.split()
    for name, kind in (("good.txt", "good"), ("bad.txt", "bad")):
        pairs = zip(words, words[7:], strict=False)
        Path(name).write_text("".join(f"{kind} {first} {last}\n" for first, last in pairs))
    for name, number in (("reviews.csv", 60), ("new.csv", 10)):
        kinds = (("warm", "positive"), ("dull", "negative"))
        rows = [f"a {word} film {index} times,{mood}\n" for index in range(number) for word, mood in kinds]
        Path(name).write_text("text,mood\n" + "".join(rows))
    for author in ("austen", "bierce", "tolstoy", "twain", "wodehouse"):
        path = Path("library") / f"{author}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{author} wrote {sentences}".replace("\n", "\n\n"))
    Path("pages.csv").write_text("text,author\nA cat and a dog.,austen\n,twain\nNo owl.,bierce\n")
    for name in ("austen.txt", "melville.txt", "novels/austen/emma.txt", "novels/melville/typee.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name + sentences)
    for language, ending in (("Arabic", "ari"), ("Japanese", "mura"), ("Russian", "nikov")):
        path = Path("names", f"{language}.txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{onset}{ending}\n" for onset in sorted({word[:3] for word in words})))
    Path("who.txt").write_text("Bini\nNakamura\n")
    for folder in ("notes", "wiki"):
        Path(folder).mkdir()
        (Path(folder) / "one.txt").write_bytes(text.read_bytes())
    Path("news.txt.gz").write_bytes(gzip.compress(text.read_bytes()))
    with zipfile.ZipFile("books.zip", "w") as archive:
        archive.writestr("one.txt", text.read_bytes())


@pytest.mark.usefixtures("_texts", "one_thread")
@pytest.mark.parametrize(("page", "network"), [*((page, None) for page in PAGES), *OTHER_NETWORKS])
def test_what_a_page_shows_runs(charlm, page: str, network: str | None) -> None:
    """With a network, every model that a command of the page trains has it, and commands that look at recurrent units
    refuse it."""
    variables: dict[str, Any] = {}
    for language, block in blocks(page):
        if language == "python":
            exec(tiny_python(block), variables)
            continue
        for words in commands(block):
            if words[0] != "charlm":
                assert words[0] in SHELL, words
                continue
            if words[1] == "serve":
                require_valid(words[1:])
            elif "--interactive" in words:
                assert "needs a terminal" in charlm(*tiny(words[1:]), status=1).stderr
            elif network and looks_inside(words[1:]):
                assert "--network recurrent" in charlm(*words[1:], status=1).stderr
            elif network and words[1] == "train" and "--resume" not in words:
                charlm(*tiny(words[1:]), "--network", network)
            else:
                charlm(*tiny(words[1:]))


@pytest.mark.parametrize("page", PARSED_PAGES)
def test_the_commands_of_a_page_have_valid_options(page: str) -> None:
    shown = [words[1:] for words in all_commands(page) if words[0] == "charlm"]
    assert shown
    for words in shown:
        require_valid(words)


def test_torchrun_takes_the_command_of_the_guide() -> None:
    (shown,) = (words for words in all_commands("docs/guide/clusters.md") if words[0] == "torchrun")
    parsed = parse_args(shown[1:])
    assert (parsed.module, parsed.training_script) == (True, "charlm")
    assert "--run" in parsed.training_script_args
    require_valid(parsed.training_script_args)


def require_valid(words: list[str]) -> None:
    """Raise an error unless a command has these options."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *arguments = words
    group.commands[name].make_context(name, arguments)


def test_the_pages_show_every_command() -> None:
    shown = {words[1] for page in PAGES for words in all_commands(page) if words[0] == "charlm"}
    assert shown == {command.name for command in app.registered_commands}
    table = re.findall(r"^\| `charlm (\w+)", read("README.md"), re.MULTILINE)
    assert sorted(table) == sorted(str(command.name) for command in app.registered_commands)


def test_the_make_targets_of_readme_exist() -> None:
    makefile = read("Makefile")
    targets = [words[1] for words in all_commands("README.md") if words[0] == "make"]
    assert targets and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page} links to {link}, which has no such heading"


def sections() -> dict[str, str]:
    """The text of each section of docs/python.md whose heading is a name, by that name."""
    parts = re.split(r"^#{2,4} (.*)$", read(PYTHON_API), flags=re.MULTILINE)
    headings = zip(parts[1::2], parts[2::2], strict=True)
    return {heading.strip("`"): text for heading, text in headings if heading.startswith("`")}


def parts_of(name: str) -> set[str]:
    """The parameters of a function, the fields of a configuration, or the fields and methods of another class."""
    value = getattr(charlm, name)
    if inspect.isfunction(value):
        return set(inspect.signature(value).parameters)
    if is_typeddict(value):
        return set(value.__annotations__)
    if issubclass(value, Exception):
        return set()
    parts = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    return parts | {part for part in vars(value) if not part.startswith("_")}


def test_the_page_of_the_python_api_has_every_public_name() -> None:
    assert sorted(sections()) == sorted(charlm.__all__)


def test_a_completion_of_the_package_offers_its_public_names_alone() -> None:
    assert dir(charlm) == sorted([*charlm.__all__, "__version__"])
    assert all(getattr(charlm, name) is not None for name in dir(charlm))


@pytest.mark.parametrize("name", charlm.__all__)
def test_the_page_of_the_python_api_has_every_part_of_a_name(name: str) -> None:
    text = sections()[name]
    missing = {part for part in parts_of(name) if not re.search(rf"`[^`\n]*\b{part}\b[^`\n]*`", text)}
    assert not missing
