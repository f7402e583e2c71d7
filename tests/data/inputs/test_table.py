import re
import shlex

import pytest

from charlm.data.inputs.table import read_table

SONGS = 'id;artist;my "lyrics"\n1;a;"first line\nsecond line"\n2;a;"one; more"\n3;b;three\n4;b;four\n5;b;five\n'


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_command_trains_on_the_longest_column_given_another(charlm, write, delimiter: str) -> None:
    path = write(SONGS.replace(";", delimiter), "it's songs.csv")
    table = read_table(path, "utf-8")
    assert table is not None and table.columns == ("id", "artist", 'my "lyrics"')
    advice = table.advice()
    assert 'columns id, artist, my "lyrics"' in advice and advice.endswith("artist to condition the text on it")
    command = re.search(r"charlm (train .*);", advice)
    assert command is not None
    options = ("--splits", "100/0/0", "--steps", "2", "--hidden", "4", "--label-column", "artist")
    charlm(*shlex.split(command[1]), *options)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (SONGS, "songs.txt"),
        ("just one line", "a.csv"),
        ("", "a.csv"),
        ("1,2\n3,4\n5,6\n", "a.csv"),
        ("a\nb\nc\n", "a.csv"),
    ],
)
def test_other_files_are_no_tables(write, content: str, name: str) -> None:
    assert read_table(write(content, name), "utf-8") is None
