"""Random command lines of every command: its options as Typer knows them, with sound, boundary and absurd values."""

from typing import Any

import typer
from mutations import Random

from charlm.cli.app import app

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
_SMALL = ["0", "1", "2", "3", "7"]
_SHARES = ["0", "1", "0.5", "0.05", "1e-320", "0.999999999999999999", "1.0000001", "-0.0"]
_REFUSED = [
    "-1",
    "-9" * 20,
    "",
    "x",
    "1.5.5",
    "0x10",
    "nan",
    "inf",
    "-inf",
    "--",
    "9" * 5000,
    "٣",
    "1e999",
    " ",
    "\udcff",
]
_HUGE = ["65537", "2147483648", "9223372036854775808", "9" * 30, "1e308", "-1e308", "100", "-100"]
_WORDS = [
    "",
    "t",
    "the cat",
    "é",
    "\t",
    "\\n",
    "\\",
    "\\x",
    "\u202e",
    "\x1b[31m",
    "🐈",
    "x" * 300,
    "[bold]",
    "[/x]",
    "=",
    "=1",
]
_NAMES = [
    *("one", "two", "back", "runs/one", "runs/one/model.safetensors", "mood.safetensors", "text.txt", "lines.txt"),
    *(
        "labelled.tsv",
        "folder",
        "empty.txt",
        "binary.bin",
        "dangling",
        "hello",
        "reviews",
        "missing",
        "",
        ".",
        "..",
        "-",
    ),
    *(
        "runs",
        "~",
        "~nobody/x",
        "x" * 300,
        "x/y",
        "text.txt/x",
        "/dev/null",
        "https://x.org/a.txt",
        "C:\\x.txt",
        "[bold]",
    ),
    *("\udcff", "ONE", "runs/one/config.json", "runs/one/metrics.jsonl", "*", "-x", "a\nb", "\x1b[31m"),
]
_OUTPUTS = [
    "new.html",
    "new.png",
    "new.svg",
    "new",
    "new.x",
    "text.txt",
    "folder",
    "missing/x.png",
    "",
    ".",
    "\udcff.svg",
]
_CHOICES = {
    "documents": ["file", "line", "paragraph", "separator"],
    "splits": ["90/5/5", "100/0/0", "0/50/50", "1/1/98", "90/5", "nan/5/5", "1e999/0/0", "99.9/0.05/0.05", "///"],
    "direction": ["forward", "backward", "weighted", "mean", "unit"],
    "encoding": ["utf-8", "utf-16", "utf-32", "latin-1", "ascii", "idna", "punycode", "rot13", "utf-7", "hex", "cp037"],
    "errors": ["strict", "replace", "ignore"],
    "tokenizer": ["char", "byte", "subword"],
    "vocab_size": ["299", "300", "310", "2000"],
    "subword_algorithm": ["unigram", "bpe"],
    "cell": ["lstm", "gru", "rnn", "mut1", "mingru", "rnn-skip", "irnn", "LSTM"],
    "cells": ["lstm", "rnn,gru", "rnn,", ",", "rnn,rnn"],
    "skip": ["none", "residual"],
    "recurrent_init": ["auto", "identity", "leaky-identity", "xavier"],
    "init": ["orthogonal", "identity", "xavier"],
    "input_init": ["xavier", "uniform"],
    "optimizer": ["muon", "adamw"],
    "device": ["auto", "cpu", "cuda", "mps", "cuda:99"],
    "precision": ["auto", "float32", "bfloat16"],
    "unknown": ["error", "nearest", "skip", "replace"],
    "sort": ["seed", "score", "newest", "name", "loss", "time", "steps"],
    "against": ["steps", "time", "tokens"],
    "split": ["train", "valid", "test", "all"],
    "temperature": ["0", "0.7", "0,7", "0.5,1", "cycle", "1:2", "1e-320", "1e308", ",", "0.7-1.2"],
    "bias": ["t=1", "t=-1000", "e=nan", "=1", "t=", "a=b=1", "the=1e9"],
    "steer": [
        "mood=+2",
        "mood.safetensors=1",
        "0:1=1",
        "0:99=1",
        "mood.safetensors=nan",
        "mood.safetensors=1e5",
        "=",
        "x=1",
    ],
    "compare_steer": ["mood.safetensors", "mood", "0:1", "0:99"],
    "unit": ["0:1", "0:99", "1:0", "0", ":", "0:-1", "9" * 30 + ":0"],
    "gate": ["0:1:f", "0:1:i:c", "0:1:x", "0:1", "0:99:o", ":::"],
}
_PATHS = ("text", "arguments", "model", "model_option", "backward", "valid", "test", "run", "init_from", "prefix_file")
_PATHS += ("adapt", "file", "positive", "negative", "labelled", "arguments", "models", "names")
_BOUNDED = ("steps", "epochs", "minutes", "seeds", "length", "num", "batch", "tokens", "hidden", "embedding", "layers")
_BOUNDED += ("threads", "candidates", "beam", "lags", "batch_size", "seq_len", "validations", "skip_steps", "top")
"""What may be large and makes a command slow is small here, or refused."""
_NEVER = ("until_eos", "processes")  # the lines of other processes can't be caught here
_SOUND = {
    "train": "text.txt --steps 2 --hidden 4 --embedding 4 --batch-size 2 --seq-len 8 --ngram-order 2 "
    "--context-vectors 4 --validations 2 --threads 1 --dropout 0 --learning-rate 0.01",
    "sample": "one --length 5",
    "eval": "one --threads 1",
    "compare": "one two text.txt",
    "info": "one",
    "fill": "one --backward back --left the --right dog --length 3 --beam 4 --candidates 5",
    "heatmap": "one text.txt --tokens 40",
    "features": "one lines.txt --documents line --threads 1",
    "probe": "one --labelled labelled.tsv --threads 1",
    "neurons": "one text.txt --tokens 60",
    "curves": "one",
    "diagnose": "text.txt --cells rnn --lags 4 --steps 1 --hidden 4 --threads 1",
    "trace": "--text ab --hidden 2 --steps 2",
}


def command_line(command: str, chance: Random) -> list[str]:
    """A command with some options; later options replace those with which it is quick and sound."""
    known = COMMANDS[command].params
    options = [one for one in known if one.opts[0].startswith("-") and one.name not in _NEVER]
    arguments = [one for one in known if not one.opts[0].startswith("-")]
    words = _SOUND.get(command, "").split()
    if arguments and chance.random() < 0.3:
        named = [word for word in words if word.startswith("-")]
        words = words[words.index(named[0]) :] if named else []
        words += [chance.choice(_NAMES) for _ in range(chance.randrange(4))]
    for option in chance.sample(options, min(len(options), chance.choice([0, 1, 1, 2, 2, 3, 5]))):
        words.append(chance.choice([*option.opts, *option.secondary_opts]))
        if not option.is_flag:
            words.append(value_of(option.name, chance))
    if chance.random() < 0.03:
        words.insert(chance.randrange(len(words) + 1), chance.choice(["--no-such", "-Z", "--", "--help", "--help=1"]))
    return [command, *words]


def value_of(name: str, chance: Random) -> str:
    """A value for an option: most often of its kind."""
    if chance.random() < 0.15:
        return chance.choice(_REFUSED)
    if name in _CHOICES and chance.random() < 0.9:
        return chance.choice(_CHOICES[name])
    if name in ("html", "plot", "out"):
        return chance.choice(_OUTPUTS)
    if name in _PATHS:
        return chance.choice(_NAMES)
    if name in _BOUNDED:
        return chance.choice(_SMALL)
    return chance.choice(chance.choice([_SMALL, _SHARES, _HUGE, _WORDS, _NAMES]))
