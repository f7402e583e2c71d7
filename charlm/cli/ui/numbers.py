"""Numbers, sizes and times as commands show them."""

import math
from datetime import UTC, datetime

from charlm.nouns import count_of, rounded


def number_of(value: float | None) -> str:
    """A number in at most eight characters; empty for None."""
    if value is None:
        return ""
    if value == 0 or 0.001 <= abs(value) < 100:
        return rounded(value, ".4g")
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def perplexity_of(value: float, decimals: int) -> str:
    """A perplexity, which is infinite above e^700, about 1e304."""
    if value == math.inf:
        return "above 1e304"
    return f"{value:,.{decimals}f}" if value < 1e9 else f"{value:.2e}"


def thousands(value: float) -> str:
    """123456 as "123,456"."""
    return f"{value:,.0f}"


def size(count: int) -> str:
    """A number of bytes as "466 kB"."""
    if count < 1000:
        return count_of(count, "byte")
    power = 1 if count < 1e6 else 2 if count < 1e9 else 3
    value, unit = count / 1000**power, ("kB", "MB", "GB")[power - 1]
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds as "1:05" or "2:03:04"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def with_margin(nats: float, margin: float | None) -> str:
    """A loss as "1.2345 ± 0.0061", or "1.2345" without a margin."""
    return f"{nats:.4f} ± {margin:.4f}" if margin else f"{nats:.4f}"


def ago(moment: datetime) -> str:
    """How long ago a moment was, such as "5 min ago"; after a week its date."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length, most in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86_400)):
        if seconds < most:
            return f"{max(0, seconds) // length:.0f} {unit} ago"
    return f"{count_of(int(seconds // 86_400), 'day')} ago" if seconds < 7 * 86_400 else f"{moment:%Y-%m-%d}"
