"""Numbers in words: with the form of the noun, or of the verb, that goes with them, and zero without a sign."""


def count_of(number: int, noun: str) -> str:
    """A number with its noun, such as "1 byte", "1,234 bytes" or "2 training tokens"."""
    return f"{number:,} {form_for(number, noun)}"


def form_for(number: float, singular: str, plural: str | None = None) -> str:
    """The form of a noun or verb that goes with a number; `plural` is for those that don't take -s, -es or -ies."""
    if number == 1:
        return singular
    return _plural(singular) if plural is None else plural


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def rounded(value: float, form: str) -> str:
    """A number in a format without a width, such as "+.1%"; what rounds to zero has no sign."""
    text = format(value, form)
    return text.lstrip("+-") if "0" in text and not any(digit in text for digit in "123456789") else text
