import pytest

from charlm.config.names import closest
from charlm.data.inputs.mistakes import looks_like
from charlm.data.sources import not_found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.com/a b", None),
        (
            "https://example.com/a.txt",
            "web address; download it first, with curl -L -o text.txt https://example.com/a.txt",
        ),
        ("www.example.com/a&b", "curl -L -o text.txt 'https://www.example.com/a&b'"),
        ("file:///home/me/a.txt", "give the path alone, /home/me/a.txt"),
        (r"C:\Users\me\my text.txt", "in WSL it is '/mnt/c/Users/me/my text.txt'"),
        ("C:Usersmetext.txt", "without its backslashes, which the shell removed"),
        ("novel.txt", None),
        ("a/b:c", None),
    ],
)
@pytest.mark.skipif("os.name == 'nt'", reason="there these are ordinary paths")
def test_a_name_tells_what_it_was_meant_to_be(name: str, said: str | None) -> None:
    found = looks_like(name)
    assert (found is None) if said is None else (found is not None and said in found)


def test_the_closest_name_is_found_in_any_case() -> None:
    assert closest("BASE", ["first", "base"]) == "base"
    assert closest("novle.txt", ["novel.txt"]) == "novel.txt"
    assert closest("something", ["base"]) is None


def test_a_misspelt_file_is_recognised(write) -> None:
    path = write("text", "folder/novel.txt")
    assert f"did you mean {path}?" in not_found(str(path.with_name("Novel.TXT")))
