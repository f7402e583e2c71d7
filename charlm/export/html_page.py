"""Fills the page: style and scripts inside, and a policy that allows these and nothing from elsewhere."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

from charlm.analysis.html.template import read_part
from charlm.files import MADE_BY
from charlm.tokenizers.base import encodable

CORE = (
    *("sections.js", "matrix.js", "ngram.js", "recent.js", "match.js", "network.js", "tokenizers.js", "reader.js"),
    "writer.js",
)
"""The scripts that compute; they need no page."""
_INTERFACE = ("text_view.js", "labels.js", "write_view.js", "read_view.js", "views.js")

Card = Iterable[tuple[str, str]]
"""What the page says of the model: names and values, plain text."""


def fill_page(*, title: str, about: str, card: Card, header: dict[str, Any], program: str, weights: str) -> str:
    """Make the page.

    Args:
        title: plain text.
        about: plain text below the title.
        card: what the About view lists.
        header: JSON values for `page/model.js`.
        program: the result of `charlm.export.program_js.program_script`.
        weights: the result of `Sections.compressed`.
    """
    core = core_script(program)
    interface = '"use strict";\n' + "\n".join([read_part("tokens.js"), *map(_part, _INTERFACE)])
    style = read_part("style.css") + _part("page.css")
    parts = {
        "POLICY": _policy(style, (core, interface)),
        "GENERATOR": MADE_BY,
        "TITLE": html.escape(title),
        "ABOUT": html.escape(about),
        "STYLE": style,
        "CARD": "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in card),
        "HEADER": json.dumps(header, separators=(",", ":")).replace("<", "\\u003c"),
        "WEIGHTS": weights,
        "CORE": core,
        "INTERFACE": interface,
    }
    page = re.sub(f"@({'|'.join(parts)})@", lambda match: parts[match[1]], _part("page.html"))
    return encodable(page, "replace")  # the name of a file need not be UTF-8


def core_script(program: str) -> str:
    """The script that computes: `loadModel`, `Writing` and `readText`."""
    return '"use strict";\n' + "\n".join([program, *map(_part, (*CORE, "model.js"))])


def _part(name: str) -> str:
    return resources.files("charlm.export").joinpath("page", name).read_text(encoding="utf-8")


def _policy(style: str, scripts: Iterable[str]) -> str:
    """The content security policy: only these scripts and this style, by their hashes, WebAssembly, and no requests."""
    allowed = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed} 'wasm-unsafe-eval'; style-src 'sha256-{_sha256(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
