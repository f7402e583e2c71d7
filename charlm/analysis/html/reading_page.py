"""A reading as one page of HTML that needs nothing else: no network, light and dark, and no more work than is seen."""

import base64
import html
import json
import re
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.units.reading import Reading
from charlm.model.unit import Unit
from charlm.tokenizers import Tokenizer

_BITS = 1000  # thousandths
_SHARE = 255


def page(reading: Reading, tokenizer: Tokenizer, *, title: str, unit: Unit | None = None) -> str:
    """The page: each token coloured by its bits, or by the value of the unit; a tip shows figures and alternatives.

    Args:
        reading: of up to a few million tokens; twenty-odd bytes each go into the page.
        tokenizer: the one that it was read with.
        title: what the page is about.
        unit: whose values the reading holds, if it does; a gate's lie between 0 and 1.
    """
    narrow = np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32
    known, places = np.unique(np.array(reading.texts, dtype=object), return_inverse=True)
    data: dict[str, Any] = {
        "texts": known.tolist(),
        "vocabulary": [
            tokenizer.token_bytes(token).decode("utf-8", "replace") for token in range(tokenizer.vocab_size)
        ],
        "wide": narrow is np.uint32,
        "places": _packed(places.astype(np.uint32)),
        "bits": _packed(np.clip(reading.bits * _BITS, 0, 65535).round().astype(np.uint16)),
        "likeliest": _packed(reading.likeliest.astype(narrow)),
        "probabilities": _packed((reading.probabilities * _SHARE).round().astype(np.uint8)),
        "alternatives": reading.likeliest.shape[1],
        "values": None if reading.values is None else _packed(reading.values.astype(np.float32)),
        "gate": unit is not None and unit.gate is not None,
    }
    mean = float(reading.bits.sum()) / max(1, len("".join(reading.texts)))
    about = f"{len(reading.ids):,} tokens, {mean:.3f} bits per character"
    if unit is not None:
        about += f"; coloured by {unit.kind} {unit}"
    return fill("reading.html", title=title, about=about, data=data)


def fill(template: str, *, title: str, about: str, data: Any, body: str = "") -> str:
    """A page from one of the templates beside this file.

    Args:
        template: its name.
        title: plain text.
        about: plain text below the title.
        data: JSON values for the page's script.
        body: HTML that stands before what the script makes.
    """
    folder = resources.files("charlm.analysis.html")
    page = folder.joinpath(template).read_text(encoding="utf-8")
    parts = {
        "STYLE": folder.joinpath("style.css").read_text(encoding="utf-8"),
        "TITLE": html.escape(title),
        "ABOUT": html.escape(about),
        "BODY": body,
        "DATA": json.dumps(data).replace("<", "\\u003c"),
    }
    return re.sub(f"@({'|'.join(parts)})@", lambda found: parts[found[1]], page)


def _packed(array: NDArray[Any]) -> str:
    """The bytes of an array, little-endian, as base64."""
    return base64.b64encode(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()).decode()
