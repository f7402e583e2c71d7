"""A reading as a self-contained HTML page: no network, light and dark mode, and only visible text is coloured."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.html.template import fill_template
from charlm.analysis.units.reading import Reading
from charlm.analysis.units.scale import scale_of
from charlm.model.unit import Unit
from charlm.nouns import count_of
from charlm.tokenizers import Tokenizer

_BITS_SCALE = 1000  # bits are stored in thousandths
_PROBABILITY_SCALE = 255


def page(reading: Reading, tokenizer: Tokenizer, *, title: str, unit: Unit | None = None) -> str:
    """The page: each token coloured by its bits or by the unit's value; a tooltip shows both and the alternatives.

    Args:
        reading: the text with its scores, up to a few million tokens; each adds about 20 bytes to the page.
        tokenizer: the tokenizer that the reading was made with.
        title: title of the page.
        unit: the unit or gate whose values are in the reading, if any; a gate's values lie between 0 and 1.
    """
    mean = float(reading.bits.sum()) / max(1, len("".join(reading.texts)))
    about = f"{count_of(len(reading.ids), 'token')}, {mean:.3f} bits per character"
    if unit is not None:
        about += f"; coloured by {unit.kind} {unit}"
    return fill_template("heatmap.html", title=title, about=about, data=reading_data(reading, tokenizer, unit=unit))


def reading_data(reading: Reading, tokenizer: Tokenizer, *, unit: Unit | None = None) -> dict[str, Any]:
    """What `showHeatmap` in heatmap.js shows, as JSON values; arguments as of `page`."""
    scale = scale_of(reading, unit)
    narrow = np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32
    distinct_texts, places = np.unique(np.array(reading.texts, dtype=object), return_inverse=True)
    return {
        "texts": distinct_texts.tolist(),
        "vocabulary": [
            tokenizer.token_bytes(token).decode("utf-8", "replace") for token in range(tokenizer.vocab_size)
        ],
        "wide": narrow is np.uint32,
        "places": _packed(places.astype(np.uint32)),
        "bits": _packed(np.clip(reading.bits * _BITS_SCALE, 0, 65535).round().astype(np.uint16)),
        "likeliest": _packed(reading.likeliest.astype(narrow)),
        "probabilities": _packed((reading.probabilities * _PROBABILITY_SCALE).round().astype(np.uint8)),
        "alternatives": reading.likeliest.shape[1],
        "values": None if reading.values is None else _packed(reading.values.astype(np.float32)),
        "middle": scale.middle,
        "reach": scale.reach,
        "marks": scale.marks,
        "gate": unit is not None and unit.gate is not None,
    }


def _packed(array: NDArray[Any]) -> str:
    """The bytes of an array, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()).decode()
