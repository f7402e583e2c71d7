"""Fills the templates of this package: one HTML file with the shared style and script, and no network."""

import html
import json
import re
from importlib import resources
from typing import Any

from charlm.files import MADE_BY
from charlm.tokenizers.base import encodable


def fill_template(template: str, *, title: str, about: str, data: Any, body: str = "") -> str:
    """Make a page from one of this package's templates.

    Args:
        template: file name of the template.
        title: plain text.
        about: plain text below the title.
        data: JSON values for the page's script.
        body: HTML placed before the script's output.
    """
    parts = {
        "STYLE": read_part("style.css"),
        "SCRIPT": read_part("tokens.js"),
        "HEATMAP": read_part("heatmap.js"),
        "NEURONS": read_part("neurons.js"),
        "GENERATOR": MADE_BY,
        "TITLE": html.escape(title),
        "ABOUT": html.escape(about),
        "BODY": body,
        "DATA": json.dumps(data).replace("<", "\\u003c"),
    }
    page = re.sub(f"@({'|'.join(parts)})@", lambda match: parts[match[1]], read_part(template))
    return encodable(page, "replace")  # the name of a file need not be UTF-8


def read_part(name: str) -> str:
    """The text of a template, or of the style or a script that pages share."""
    return resources.files("charlm.analysis.html").joinpath(name).read_text(encoding="utf-8")
