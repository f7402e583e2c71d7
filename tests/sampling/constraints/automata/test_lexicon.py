"""The pronouncing dictionary: how it is read, and where it comes from. The lines here are written for the tests."""

import hashlib
from pathlib import Path

import pytest

from charlm.errors import DownloadError
from charlm.sampling import SampleConfig, generate_many
from charlm.sampling.constraints.automata import lexicon
from charlm.sampling.constraints.automata.lexicon import english, read_lexicon
from charlm.tokenizers import CharTokenizer

LINES = """\
'bout B AW1 T
a.m. EY2 EH1 M
bad B AE1 D
bad(2) B AE2 D IH0
cab K AE1 B # a comment
dab D AE1 B
decade D EH1 K EY2 D
hm HH M
t T IY1
's EH1 S
"""


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "words.dict"
    path.write_text(LINES)
    return path


def test_the_first_pronunciation_of_plain_words_is_read(dictionary: Path) -> None:
    words = read_lexicon(dictionary)
    assert words.words == ("'bout", "bad", "cab", "dab", "decade")
    assert words.syllables.tolist() == [1, 1, 1, 1, 2]
    bout, bad, cab, dab, decade = words.rhymes.tolist()
    assert cab == dab and len({bout, bad, cab, decade}) == 4


def test_without_a_network_the_error_says_where_the_file_belongs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path))
    monkeypatch.setattr(lexicon, "URL", "https://127.0.0.1:9/cmudict.dict")
    path = tmp_path / "lexicons" / "cmudict.dict"
    with pytest.raises(
        DownloadError, match=r"download the CMU Pronouncing Dictionary from https://127\.0\.0\.1"
    ) as caught:
        english()
    assert str(caught.value).endswith(f"save the file as {path}")


def test_the_dictionary_is_checked_and_read_from_the_cache(dictionary: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path))
    monkeypatch.setattr(lexicon, "URL", "https://127.0.0.1:9/cmudict.dict")
    monkeypatch.setattr(lexicon, "SHA256", hashlib.sha256(LINES.encode()).hexdigest())
    kept = tmp_path / "lexicons" / "cmudict.dict"
    kept.parent.mkdir()
    kept.write_text(LINES)
    assert len(english().words) == 5
    kept.write_text("damaged")
    with pytest.raises(DownloadError):
        english()


def test_lines_have_their_syllables(uneven, dictionary: Path, monkeypatch) -> None:
    monkeypatch.setattr("charlm.sampling.constraints.build.english", lambda: read_lexicon(dictionary))
    characters = CharTokenizer("\n abcde")
    config = SampleConfig(length=60, syllables=(2, 3), temperature=1.0)
    words = read_lexicon(dictionary)
    for text in generate_many(uneven(characters), characters, seed=1, num=3, batch=2, config=config):
        lines = [line for line in text.text.split("\n") if line.strip()]
        counts = [sum(int(words.syllables[words.words.index(word)]) for word in line.split()) for line in lines]
        assert counts == [2, 3], text.text
