import os
import re
import shlex
import subprocess
import sys

import pytest

from charlm.data.inputs.table import read_table

SONGS = 'id;artist;my "lyrics"\n1;a;"first line\nsecond line"\n2;b;"one; more"\n3;c;three\n'


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_command_writes_out_the_longest_column(write, delimiter: str) -> None:
    path = write(SONGS.replace(";", delimiter), "it's songs.csv")
    table = read_table(path, "utf-8")
    assert table is not None and table.columns == ("id", "artist", 'my "lyrics"')
    advice = table.advice()
    assert 'columns id, artist, my "lyrics"' in advice and r"charlm train column.txt --separator '\n%%\n'" in advice
    command = re.search(r"python (-c .*) > column.txt", advice, re.DOTALL)[1]
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, *shlex.split(command)], capture_output=True, text=True, env=environment)
    assert done.stdout == f"first line\nsecond line\n%%\none{delimiter} more\n%%\nthree\n%%\n", done.stderr


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
