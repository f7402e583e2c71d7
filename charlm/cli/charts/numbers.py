"""Numbers as the charts and tables show them."""


def number_of(value: float | None) -> str:
    """A number in at most eight characters; empty for None."""
    if value is None:
        return ""
    if value == 0 or 0.001 <= abs(value) < 100:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"
