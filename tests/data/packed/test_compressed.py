import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import make_dataset
from charlm.data.encoding import read_utf8
from charlm.data.inputs.folder import read_folder
from charlm.data.packed import compressed
from charlm.data.packed.compressed import Unpacker, unpacked
from charlm.errors import CorpusError

Compress = Callable[[bytes], bytes]


def zstd(content: bytes) -> bytes:
    try:
        from compression import zstd as module
    except ImportError:
        module = pytest.importorskip("backports.zstd", reason="needs Python 3.14 or backports.zstd")
    packed: bytes = module.compress(content, options={module.CompressionParameter.checksum_flag: 1})
    return packed


FORMS: dict[str, Compress] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}
each_form = pytest.mark.parametrize("suffix", FORMS)


def characters(number: int) -> str:
    return "".join(f"line {index} of a text — {index * index}\n" for index in range(number))


def read(content: bytes | bytearray) -> bytes:
    with unpacked(io.BytesIO(content), "text") as file:
        return file.read()


@each_form
def test_a_compressed_text_is_the_same_text(write, tmp_path: Path, suffix: str) -> None:
    """The same name, hash, bytes, characters and splits, tokens, and folder of the cache."""
    content = characters(400).encode()
    plain = make_dataset(open_corpus(write(content, "novel.txt"), CorpusConfig()), TokenizerConfig())
    path = write(FORMS[suffix](content), f"other/novel.txt{suffix}")
    packed = make_dataset(open_corpus(path, CorpusConfig()), TokenizerConfig())
    assert packed.corpus == plain.corpus
    assert packed.tokenizer.to_json() == plain.tokenizer.to_json()
    assert len([*(tmp_path / "cache" / "tokens").iterdir()]) == 1
    assert packed.corpus.boundaries() == plain.corpus.boundaries()


def test_a_run_on_a_compressed_text_has_the_same_weights(
    charlm, write, weights_of, same_weights, sentences: str
) -> None:
    shape = "--steps 3 --hidden 4 --embedding 4 --batch-size 2 --seq-len 8 --threads 1 --ngram-order 3"
    options = shape.split()
    charlm("train", write(sentences, "a.txt"), "--run", "runs/plain", *options)
    charlm("train", write(gzip.compress(sentences.encode()), "b.gz"), "--run", "runs/packed", *options)
    assert same_weights(weights_of("runs/plain"), weights_of("runs/packed"))
    charlm("train", "--resume", "--run", "runs/packed", "--steps", "6")
    charlm("train", "--resume", "--run", "runs/plain", "--steps", "6")
    assert same_weights(weights_of("runs/plain"), weights_of("runs/packed"))


@each_form
def test_streams_that_follow_each_other_are_one_text(suffix: str) -> None:
    compress = FORMS[suffix]
    assert read(compress(b"one ") + compress(b"") + compress(b"two") + bytes(8)) == b"one two"


@each_form
def test_a_file_that_is_cut_short_is_an_error_wherever_it_is_cut(write, suffix: str) -> None:
    packed = FORMS[suffix](characters(50).encode())
    for length in range(12, len(packed), 7):
        with pytest.raises(CorpusError, match=r"^text is (cut short|damaged): .*; copy or download it again$"):
            read(packed[:length])
    with pytest.raises(CorpusError, match=rf"^novel.txt{suffix} is cut short: its \d+ bytes end in the middle of"):
        open_corpus(write(packed[:-9], f"novel.txt{suffix}"), CorpusConfig())


@each_form
def test_a_damaged_file_is_never_another_text(suffix: str) -> None:
    content = characters(20).encode()
    packed = FORMS[suffix](content)
    for place in range(10, len(packed)):
        changed = bytearray(packed)
        changed[place] ^= 0x10
        try:
            assert read(bytes(changed)) == content  # a byte that means nothing, such as the name of the system
        except CorpusError as error:
            assert str(error).startswith("text is ")


def test_what_follows_a_compressed_text_is_an_error() -> None:
    with pytest.raises(CorpusError, match=r"^text is damaged: gzip data is followed by something else; copy or"):
        read(gzip.compress(b"text") + b"more")


@each_form
def test_memory_is_bounded_and_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    bomb = FORMS[suffix](b"a" * 4_000_000)
    with unpacked(io.BytesIO(bomb), "a") as file:
        assert [len(file.read(1000)), len(file.read(70_000))] == [1000, 70_000]
    assert len(read(bomb)) == 4_000_000  # small
    monkeypatch.setattr(compressed, "SMALL", 1_000_000)
    with unpacked(io.BytesIO(bomb), "a.txt" + suffix) as file, pytest.raises(CorpusError) as refused:
        while file.read(1000):
            pass
    assert "grows to more than 500 times its size, as a decompression bomb does" in str(refused.value)
    assert str(refused.value).endswith(f"-{'d' * (suffix != '.gz')}c a.txt{suffix} > a.txt")


@pytest.mark.parametrize(("code", "allowed"), [(31, True), (34, False)])
def test_xz_may_not_ask_for_much_memory(code: int, allowed: bool) -> None:
    """The header of a block holds the size of the dictionary, as a code: 31 is 192 MiB and 34 is 512 MiB."""
    content = bytearray(lzma.compress(b"text"))
    assert content[12] == 2 and content[14:16] == b"\x21\x01"  # a header of 12 bytes; the filter LZMA2
    content[16] = code
    content[20:24] = zlib.crc32(content[12:20]).to_bytes(4, "little")
    if allowed:
        assert read(content) == b"text"
    else:
        with pytest.raises(CorpusError, match=r"it can't be unpacked .*Memory usage limit"):
            read(content)


def test_a_compressed_file_in_a_compressed_file_is_an_error(write) -> None:
    path = write(gzip.compress(gzip.compress(b"text")), "a.txt.gz.gz")
    with pytest.raises(
        CorpusError, match=r"^a.txt.gz.gz contains data compressed by gzip, .*: gunzip -c \S+ > a.txt.gz$"
    ):
        open_corpus(path, CorpusConfig())


def test_a_compressed_tar_archive_is_an_error(write) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    with pytest.raises(CorpusError, match=r"^a.tar.gz contains a tar archive, not a text; unpack it first: tar -xf"):
        open_corpus(write(buffer.getvalue(), "a.tar.gz"), CorpusConfig())


def test_zstd_without_its_module_names_the_extra(write, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("compression", "compression.zstd", "backports", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it raises ImportError
    path = write(b"\x28\xb5\x2f\xfd\x04\x58", "folder/a.txt.zst")
    with pytest.raises(CorpusError, match=r"^a.txt.zst is compressed by zstd, .* pip install 'charlm-rnn\[zstd\]', or"):
        open_corpus(path, CorpusConfig())
    with pytest.raises(CorpusError, match=r"1 compressed by zstd \(a.txt.zst\), which pip install .* reads"):
        read_folder(path.parent, "utf-8")


def test_a_folder_of_compressed_texts_is_that_of_the_texts(write) -> None:
    for number, compress in enumerate((gzip.compress, bz2.compress, lzma.compress, bytes)):
        content = characters(number + 3).encode()
        write(content, f"plain/{number}.txt")
        write(compress(content), f"packed/{number}.txt{['.gz', '.bz2', '.xz', ''][number]}")
    write(gzip.compress(bytes(1000)), "packed/data.bin.gz")
    folder = read_folder(write("", "packed/empty").parent, "utf-8")
    kinds, left_out = "1 .txt.gz, 1 .txt.bz2, 1 .txt.xz, 1 other", "1 not text (data.bin.gz), 1 empty (empty)"
    assert folder.summary().endswith(f": reading 4 files ({kinds}); left out: {left_out}")
    plain, packed = (open_corpus(folder.path.parent / name, CorpusConfig()) for name in ("plain", "packed"))
    assert plain.sha256 == packed.sha256 and plain.bytes == packed.bytes


def test_a_damaged_file_of_a_folder_is_named(write) -> None:
    write("a text", "folder/a.txt")
    path = write(gzip.compress(characters(999).encode())[:100], "folder/below/b.txt.gz")
    with pytest.raises(CorpusError, match=r"^below/b.txt.gz is cut short"):
        open_corpus(path.parents[1], CorpusConfig())


def test_copies_are_found_whether_compressed_or_not(write) -> None:
    write("a text", "folder/a.txt")
    corpus: Corpus = open_corpus(write(gzip.compress(b"a text"), "folder/b.gz").parent, CorpusConfig())
    assert corpus.copies == (("b.gz", "a.txt"),)


def test_progress_is_that_of_the_file(write) -> None:
    content = characters(60_000).encode()
    path = write(gzip.compress(content), "a.gz")
    seen = list[tuple[str, int, int]]()
    open_corpus(path, CorpusConfig(), progress=lambda *values: seen.append(values))
    assert len(seen) > 2 and {total for _, _, total in seen} == {path.stat().st_size}


def test_an_invalid_byte_is_named_by_its_place_in_the_text(write) -> None:
    content = characters(40_000).encode() + "привет".encode("cp1251") * 20
    path = write(gzip.compress(content), "a.gz")
    offset = len(content) - 120
    with pytest.raises(CorpusError, match=rf"^a.gz: byte 0xef at byte offset {offset} is not valid utf-8; "):
        open_corpus(path, CorpusConfig())


def test_seeking_in_a_compressed_text(write: Callable[..., Path]) -> None:
    content = characters(20_000).encode()
    file = unpacked(write(gzip.compress(content)).open("rb"), "a")
    with file:
        assert isinstance(file, Unpacker)
        for place in (500_000, 3, 3, 700_000, 10**9):
            assert file.seek(place) == min(place, len(content))
            assert file.read(5) == content[place : place + 5]


def test_a_prefix_may_be_compressed(write) -> None:
    assert read_utf8(str(write(gzip.compress("naïve".encode())))) == "naïve"


def test_standard_input_may_be_compressed(charlm, trained_run, sentences: str) -> None:
    run = trained_run()
    plain = charlm("score", run, "-", "--jsonl", stdin=sentences.encode()).stdout
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        assert charlm("score", run, "-", "--jsonl", stdin=compress(sentences.encode())).stdout == plain
    evaluated = [
        charlm("eval", run, "-", "--json", stdin=data).stdout
        for data in (sentences.encode(), gzip.compress(sentences.encode()))
    ]
    assert evaluated[0] == evaluated[1]
    failed = charlm("score", run, "-", stdin=gzip.compress(sentences.encode())[:-9], status=1)
    assert failed.stderr.startswith("error: standard input is cut short")
