import gzip
import io
import os
import sys
import threading

import pytest

from charlm.config import CorpusConfig
from charlm.data.corpus import read_corpus
from charlm.data.sources import FoundText, find_sources, is_stream
from charlm.errors import CharlmError, CorpusError
from charlm.files import cache_folder, is_safetensors


def content(found: FoundText) -> bytes:
    with found.sources[0].open() as file:
        return file.read()


def test_a_missing_file_is_an_error_with_a_hint() -> None:
    with pytest.raises(CorpusError, match=r"no file or folder 'nowhere.txt'.*charlm corpora"):
        find_sources(["nowhere.txt"])
    with pytest.raises(CorpusError, match="did you mean the named corpus tinyshakespeare"):
        find_sources(["tinyshakespear"])


def test_a_link_to_nothing_is_named(tmp_path) -> None:
    for target in ("gone.txt", "link.txt"):
        link = tmp_path / "link.txt"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        with pytest.raises(CorpusError, match=rf"link.txt' is a symbolic link to '{target}', which leads to no file"):
            find_sources([link])


def test_nothing_given_is_an_error() -> None:
    with pytest.raises(CorpusError, match="no text given"):
        find_sources([])
    with pytest.raises(CorpusError, match="'' names no text; name a file"):
        find_sources([""])


@pytest.mark.parametrize("name", ["x" * 5000, "\0"])
def test_what_can_be_no_name_is_an_error(name: str) -> None:
    with pytest.raises(CorpusError, match="no file or folder"):
        find_sources([name])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(
    "content", [b"a text of a pipe\n" * 9, gzip.compress(b"a text of a pipe\n" * 9)], ids=["plain", "gzip"]
)
def test_a_pipe_is_read_once_and_kept(tmp_path, content: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert is_stream(str(pipe)) and is_stream("-") and not is_stream(str(tmp_path)) and not is_stream("nowhere")
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert not is_safetensors(pipe)  # without a byte of it being read
    found = find_sources([pipe])
    writer.join()
    corpus = read_corpus(found, CorpusConfig())
    assert corpus.characters == 9 * len("a text of a pipe\n") and found.name == "pipe"
    assert read_corpus(find_sources(found.arguments), CorpusConfig()).sha256 == corpus.sha256


def test_a_text_in_place_of_its_name_is_not_repeated() -> None:
    with pytest.raises(
        CorpusError, match=r"'cat/\\ncat/\\n.*…, which has 50,000 characters; give the name of a file"
    ) as error:
        find_sources(["cat/\n" * 10_000])
    assert len(str(error.value)) < 200


def test_a_folder_is_all_its_text_files_in_order(write, tmp_path) -> None:
    write("second", "folder/b.txt")
    write("first", "folder/a/z.md")
    write("hidden", "folder/.git/config")
    write(b"\x89PNG\0\0", "folder/picture.png")
    found = find_sources([str(tmp_path / "folder")])
    assert [source.name for source in found.sources] == ["a/z.md", "b.txt"]
    assert found.folders[0].left_out == (("not text", "picture.png"),)
    assert found.name == "folder"


def test_a_folder_is_read_without_the_runs_in_it(write, tmp_path) -> None:
    for name in ("a.txt", "config.json", "runs/a/config.json", "runs/a/metrics.jsonl", "runs/a/below/samples.txt"):
        write("text", f"folder/{name}")
    found = find_sources([str(tmp_path / "folder")])
    assert [source.name for source in found.sources] == ["a.txt", "config.json"]


def test_a_folder_without_text_is_an_error(write, tmp_path) -> None:
    write(b"\0\0", "folder/binary")
    write("", "folder/empty.txt")
    with pytest.raises(CorpusError, match="holds no text file"):
        find_sources([str(tmp_path / "folder")])


def test_a_run_and_a_model_are_no_texts(write, tmp_path) -> None:
    for name in ("config.json", "metrics.jsonl"):
        folder = write("{}", f"runs/a/{name}").parent
    with pytest.raises(CorpusError, match=r"runs/a is a run, not a text; the model must come before the text"):
        find_sources([str(folder)])
    model = write((2).to_bytes(8, "little") + b"{}", "model.safetensors")
    with pytest.raises(CorpusError, match=r"model.safetensors is a model, not a text"):
        find_sources([str(model)])


def test_a_home_folder_that_the_shell_left_alone_is_found(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(write("mine", "home/text.txt").parent))
    assert content(find_sources(["~/text.txt"])) == b"mine"


def test_a_file_wins_over_a_registered_name(write, tmp_path, monkeypatch) -> None:
    write("mine", "hello")
    monkeypatch.chdir(tmp_path)
    found = find_sources(["hello"])
    assert found.named is None
    assert content(found) == b"mine"


def test_standard_input_is_kept_so_that_it_can_be_read_again() -> None:
    found = find_sources(["-"], stdin=io.BytesIO(b"piped text"))
    assert found.name == "stdin"
    again = find_sources(list(found.arguments))
    assert content(again) == b"piped text"


def test_standard_input_that_is_closed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CorpusError, match="- is standard input, and it is closed"):
        find_sources(["-"])


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["Ctrl-C", "full"])
def test_standard_input_that_breaks_off_leaves_nothing(ends: BaseException) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if content := super().read(4):
                return content
            raise ends

    with pytest.raises((KeyboardInterrupt, CharlmError)) as error:
        find_sources(["-"], stdin=Broken(b"piped text"))
    assert isinstance(error.value, KeyboardInterrupt) or "can't keep standard input in" in str(error.value)
    assert list(cache_folder("stdin").iterdir()) == []


def test_several_arguments_are_one_corpus_of_several_documents(write) -> None:
    found = find_sources([str(write("one", "1.txt")), str(write("two", "2.txt"))])
    corpus = read_corpus(found, CorpusConfig(splits=(100, 0, 0)))
    assert (corpus.documents, corpus.characters) == (2, 6)
    swapped = read_corpus(find_sources(list(reversed(found.arguments))), CorpusConfig())
    assert swapped.sha256 != corpus.sha256


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(write) -> None:
    path = write("secret")
    path.chmod(0)
    with pytest.raises(CorpusError, match="can't be read"):
        find_sources([str(path)])
