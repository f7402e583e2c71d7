"""The syllables and rhymes of English words: the CMU Pronouncing Dictionary, as a tree of letters.

The dictionary is downloaded once and kept in the cache, like a named corpus.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charlm.data.inputs.download import download
from charlm.errors import ConfigError
from charlm.files import cache_folder
from charlm.progress import Progress, silent

MOST_SYLLABLES = 7
LETTERS = "abcdefghijklmnopqrstuvwxyz'"

URL = "https://raw.githubusercontent.com/cmusphinx/cmudict/0f8072f814306c5ee4fbf992ed853601b12c01f9/cmudict.dict"
"""Where the dictionary is downloaded from."""
BYTES = 3_618_488
"""Its size."""
SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"
"""Its checksum."""

_WORD = re.compile(r"'?[a-z]+('[a-z]+)?")
_SHORTEST, _LONGEST = "aio", 16  # words of one letter, and letters


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """W words in alphabetical order, and the N nodes of the tree of their letters; the root is node 0."""

    words: tuple[str, ...]
    syllables: NDArray[np.int64]
    """Of each word, (W,)."""
    rhymes: NDArray[np.int64]
    """The number of the sounds with which each word rhymes, (W,)."""
    child: NDArray[np.int32]
    """The node after each node and letter, 0 if there is none, (N, 27)."""
    parent: NDArray[np.int32]
    """(N,)."""
    letter: NDArray[np.int8]
    """The letter that leads to each node, (N,)."""
    depth: NDArray[np.int8]
    """(N,)."""
    node: NDArray[np.int32]
    """The node where each word ends, (W,)."""
    word: NDArray[np.int32]
    """The word that ends at each node, -1 if there is none, (N,)."""


def english(progress: Progress = silent) -> Lexicon:
    """The words of the dictionary, which is downloaded first if necessary; raises `DownloadError` when that fails."""
    path = cache_folder("lexicons") / "cmudict.dict"
    download(URL, path, what="the CMU Pronouncing Dictionary", size=BYTES, sha256=SHA256, progress=progress)
    return read_lexicon(path)


@cache
def read_lexicon(path: Path) -> Lexicon:
    """The words of one to seven syllables in a file of lines such as `cat K AE1 T # comment`.

    A further pronunciation, as of `cat(2)`, is ignored, and so are letters, such as "d" and "'s".
    """
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *sounds = line.partition("#")[0].split()
        stressed = [place for place, sound in enumerate(sounds) if sound[-1].isdigit()]
        is_word = _WORD.fullmatch(word) and (len(word.strip("'")) > 1 or word in _SHORTEST)
        if is_word and 1 <= len(stressed) <= MOST_SYLLABLES and len(word) <= _LONGEST:
            accents = [place for place in stressed if sounds[place][-1] != "0"] or stressed
            ending = " ".join(sound.rstrip("012") for sound in sounds[accents[-1] :])
            entries.append((word, len(stressed), ending))
    entries.sort()
    endings = {ending: number for number, ending in enumerate(sorted({ending for _, _, ending in entries}))}
    return lexicon_of(
        tuple(word for word, _, _ in entries),
        np.array([syllables for _, syllables, _ in entries]),
        np.array([endings[ending] for _, _, ending in entries]),
    )


def without_letters(lexicon: Lexicon, letters: str) -> Lexicon:
    """The lexicon without the words that have one of these letters; raises `ConfigError` if none is left."""
    if not letters:
        return lexicon
    kept = np.array([not set(letters).intersection(word) for word in lexicon.words])
    if not kept.any():
        raise ConfigError("--syllables needs a model that writes English words; use another model")
    words = tuple(word for word, keep in zip(lexicon.words, kept, strict=True) if keep)
    return lexicon_of(words, lexicon.syllables[kept], lexicon.rhymes[kept])


def lexicon_of(words: tuple[str, ...], syllables: NDArray[np.int64], rhymes: NDArray[np.int64]) -> Lexicon:
    """The lexicon of sorted words, with the syllables of each and the number of its rhyme.

    At each depth, a new node begins where a word's beginning is a new one.
    """
    code = {letter: number for number, letter in enumerate(LETTERS)}
    lengths = np.array([len(word) for word in words])
    width = int(lengths.max())
    letters = np.full((len(words), width), -1, dtype=np.int8)
    for row, word in enumerate(words):
        letters[row, : len(word)] = [code[letter] for letter in word]
    same = np.concatenate([np.zeros((1, width), dtype=bool), letters[1:] == letters[:-1]])
    shared = np.logical_and.accumulate(same, axis=1)  # whether a word begins like the one before, up to a depth
    parents, own, depths = [np.zeros(1, np.int32)], [np.zeros(1, np.int8)], [np.zeros(1, np.int8)]
    above, count = np.zeros(len(words), dtype=np.int32), 1
    node = np.zeros(len(words), dtype=np.int32)
    for depth in range(width):
        present = lengths > depth
        is_new = present & ~shared[:, depth]
        numbers = (count + np.cumsum(is_new) - 1).astype(np.int32)
        parents.append(above[is_new])
        own.append(letters[is_new, depth])
        depths.append(np.full(int(is_new.sum()), depth + 1, np.int8))
        above = np.where(present, numbers, above)
        node = np.where(lengths == depth + 1, numbers, node)
        count += int(is_new.sum())
    parent, letter = np.concatenate(parents), np.concatenate(own)
    child = np.zeros((count, len(LETTERS)), dtype=np.int32)
    child[parent[1:], letter[1:]] = np.arange(1, count)
    whole = np.full(count, -1, dtype=np.int32)
    whole[node] = np.arange(len(words))
    return Lexicon(words, syllables, rhymes, child, parent, letter, np.concatenate(depths), node, whole)
