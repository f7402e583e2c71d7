"""The errors that a user may meet."""

from charlm.errors import CharlmError, UnknownCharacterError


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    assert str(CharlmError("no file 'a\r\nb'; name another")) == r"no file 'a\r\nb'; name another"
    assert "\n" not in str(UnknownCharacterError("\n", 3, remedy="leave it out"))
