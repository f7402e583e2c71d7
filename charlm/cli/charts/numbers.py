"""Numbers as the charts and tables show them."""

import math


def number_of(value: float | None) -> str:
    """A number in at most eight characters; empty for None."""
    if value is None:
        return ""
    if value == 0 or 0.001 <= abs(value) < 100:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def perplexity_of(value: float, decimals: int) -> str:
    """A perplexity, which is infinite above e^700, about 1e304."""
    if value == math.inf:
        return "above 1e304"
    return f"{value:,.{decimals}f}" if value < 1e9 else f"{value:.2e}"
