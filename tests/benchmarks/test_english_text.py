"""The text of the bundled model of English: what each reader takes of a file, and what is left out."""

import json
from pathlib import Path

import english_text
import pytest


@pytest.mark.parametrize(
    ("reader", "content", "expected"),
    [
        (
            "markdown",
            "---\ntitle: T\n---\n# Head\n\nA [link](u) and `code`.\n\n```\nx = 1\n```\n",
            "Head\n\nA link and `code`.",
        ),
        ("book", "# Title: T\n\n## Year: 1895\n\n-------\n\n## I\n\nHe *went*.\n", "I\n\nHe went."),
        (
            "page",
            "<head><title>T</title></head><p>One\n two.<a epub:type='noteref'>1</a></p><p>a<br/>b &amp; c</p>",
            "One two.\n\na\nb & c",
        ),
        (
            "treebank",
            "# newdoc id = 1\n# newpar\n# text = One.\n1\tOne\n# text = Two.\n\n# newpar\n# text = Three.\n",
            "One. Two.\n\nThree.",
        ),
        ("split_sentences", 'x\tHe said , "no" .\nx\tIt \'s here , <::::> there .\n', "It's here, there."),
        ("transcript", "[00:01:02:03]\n_page : 1\nCDR: Well.\n", "CDR: Well."),
        (
            "gutenberg",
            "An EBook\n*** START OF THIS EBOOK ***\n\n  A\n    _b_\n\nC\nEnd of Project Gutenberg's X\n",
            "A\n  b\n\nC",
        ),
        (
            "irc",
            "=== a is now known as b\n[10:01] <b> hi\n[10:01] <ubotu> I am a bot\n[10:02] * c waves\n[10:02] <b> ?\n",
            "<b> hi\n\n* c waves\n<b> ?",
        ),
        (
            "gitter",
            "1\troom\t2016-06-12T18:00\t2\tann\t9\tWrite to a@b.org\n"
            '1\troom\t2016-06-12T17:56\t2\tbob\t8\t"So:\n```\nx = 1\n``` ok"\n'
            "1\troom\t2016-06-12T17:55\t2\tann\t7\tHi!\n1\troom\t2016-06-12T17:57\t2\tcamperbot\t6\tHello\n",
            "<ann> Hi!\n<bob> So: ok",
        ),
        ("first_column", "Hi.\tSalut.\nHi.\tCoucou.\n", "Hi."),
        (
            "dialogue",
            json.dumps(
                [
                    {"turns": [{"speaker": "USER", "utterance": "Hi."}]},
                    {"utterances": [{"speaker": "assistant", "text": "Yes?"}]},
                ]
            ),
            "User: Hi.\n\nAssistant: Yes?",
        ),
    ],
)
def test_a_reader_takes_the_prose(reader: str, content: str, expected: str) -> None:
    assert english_text.clean(english_text.READERS[reader](content.encode())).strip() == expected


def test_only_known_characters_stay() -> None:
    text = english_text.clean("Dvořák\u00a0 ate ﬁve œufs…\r\n\n\n\nπ ⸺ naïve\t“x”  \n")
    assert text == "Dvorak  ate five oeufs…\n\n —— naïve    “x”\n"
    assert set(text) <= english_text.KNOWN


def test_a_passage_of_48_letters_is_found_wherever_it_stands() -> None:
    measured = "It was a bright cold day in April, and the clocks were striking thirteen while the rain fell."
    passages = english_text.Passages([measured])
    letters = english_text.letters(measured)
    for start in range(len(letters) - english_text.SHARED + 1):
        assert passages.shared("and then, 'THE " + letters[start : start + english_text.SHARED].upper() + "'?")
    assert not passages.shared("It was a bright cold day in May, and the clock was striking three while the snow fell.")


def test_an_origin_without_files_is_named(tmp_path: Path) -> None:
    origin = "Debian jargon-text==4.4.7-4.1:jargon"
    source = english_text.Source("a.txt", "A", "public domain", "plain", 0, origin, 0, "")
    with pytest.raises(SystemExit, match=f"has no file of {origin}"):
        english_text.make(source, tmp_path, english_text.Passages([]))
