"""charlm and other programs on the same text, one after the other on the same machine.

    python benchmarks/peers.py [TEXT] [--minutes 1] [--seeds 1] [--threads 2] [--nanogpt FOLDER]
        [--only NAMES] [--iterations 2000]

Makes the first table of docs/benchmarks.md and the curves of its plot. TEXT is a file or a registered name,
tinyshakespeare by default. It is split 90/10 by characters; every program is scored on all characters of the last 10%,
each given what precedes it. The programs, which --only chooses by these names:

charlm       `charlm train TEXT --minutes M --init-from none`, a new network as that of the others
network      the same without the n-gram prior
lstm         `nn.LSTM` of the width that charlm chose, embedding 32, 16 sequences of 32, AdamW, a rate of 0.003 that
             falls to 0 as a cosine, no dropout
mingru       three blocks of a minGRU and an MLP of the same width (Feng et al. 2024, arXiv 2410.01201, without their
             convolutions), trained in the same way
nanogpt      train.py of a checkout of karpathy/nanoGPT with the arguments that its README gives for a CPU, 2,000
             iterations however long they take; its seed is fixed in the file
transformer  the model of that checkout in the same size, trained for M minutes
ngram        the best interpolated modified Kneser-Ney model of order 1 to 8
xz           what the last 10% add to the compressed size

The clock starts when a program is started and stops while `lstm`, `mingru` and `transformer` are scored. Transformers
are scored with a window that slides by four characters. A run that this machine has made in this state of charlm is not
repeated.
"""

import argparse
import json
import lzma
import math
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from peer_networks import Figures, MinGRU, PlainLSTM, Task, gpt, nothing_printed, recurrent, sliding_nats, transformer
from results import Results, add_option
from runs import call, name_of, records_of, run_charlm, start

CPU_CONFIGURATION = (
    "config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 "
    "--batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters={0} --lr_decay_iters={0} --dropout=0.0"
)
DEFAULT_WIDTH = 256
"""Of the recurrent peers if charlm doesn't run before them."""


def nanogpt(task: Task) -> Figures:
    """nanoGPT's own training, in a copy of its files; the curve is its own estimate from random windows."""
    assert task.nanogpt is not None
    train, valid, vocab_size = task.encoded()
    words = ["train.py", *CPU_CONFIGURATION.format(task.iterations).split()]
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data" / "shakespeare_char"
        data.mkdir(parents=True)
        for name in ("train.py", "model.py", "configurator.py"):
            shutil.copy(task.nanogpt / name, temporary)
        shutil.copytree(task.nanogpt / "config", Path(temporary) / "config")
        for name, ids in (("train", train), ("val", valid[1:])):
            ids.to(torch.uint16).numpy().tofile(data / f"{name}.bin")
        (data / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": vocab_size}))  # the only form that it reads
        curve, started = [], time.time()
        with subprocess.Popen(
            [sys.executable, "-u", *words], cwd=temporary, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.match(r"step \d+: train loss [\d.]+, val loss ([\d.]+)", line):
                    curve.append((time.time() - started, float(found[1])))
        seconds = time.time() - started
        if process.returncode:
            sys.exit(f"python {' '.join(words)} failed with status {process.returncode}")
        kept = torch.load(Path(temporary) / "out-shakespeare-char" / "ckpt.pt", weights_only=True)
    module = gpt(task.nanogpt)
    with nothing_printed():
        model = module.GPT(module.GPTConfig(**kept["model_args"])).eval()
    model.load_state_dict(kept["model"])
    with torch.inference_mode():
        nats = sliding_nats(model, valid, kept["model_args"]["block_size"], 4)
    return {
        "nats_per_character": nats,
        "own_estimate": min(loss for _, loss in curve),
        "seconds": seconds,
        "parameters": model.get_num_params(non_embedding=False),
        "curve": curve,
        "command": f"python {' '.join(words)}",
    }


def charlm(task: Task, *options: str) -> Figures:
    """charlm, with more options for `charlm train`; the curve is its own validation during the run."""
    length = (
        "--minutes",
        f"{task.minutes:g}",
        "--splits",
        "90/10/0",
        "--threads",
        str(task.threads),
        "--init-from",
        "none",
        *options,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        started = time.time()
        run_charlm("train", task.text, *length, "--seed", task.seed, "--run", run)
        seconds = time.time() - started
        score, dynamic = (
            json.loads(run_charlm("eval", run, "--no-baselines", "--json", *more))["nats_per_character"]
            for more in ((), ("--dynamic",))
        )
        model = json.loads(run_charlm("info", run, "--json"))
        validations = records_of(Path(run), "validation")
        width = json.loads(Path(run, "config.json").read_text())["model"]["hidden_size"]
    curve = [(one["seconds"], one["nats_per_token"]) for one in validations]
    return {
        "nats_per_character": score,
        "dynamic": dynamic,
        "seconds": seconds,
        "parameters": model["parameters"],
        "width": width,
        "curve": [*curve, (seconds, score)],
        "command": shlex.join(["charlm", "train", name_of(task.text), *length]),
    }


def ngram(task: Task) -> Figures:
    """The n-gram model of the order that is best on the held-out part."""
    from charlm.ngram.model import NgramModel
    from charlm.ngram.score import token_nats
    from charlm.tokenizers.char import CharTokenizer

    train, valid = task.read()
    tokenizer = CharTokenizer("".join(sorted(set(train))))
    ids, scored = ([tokenizer.bos, *tokenizer.encode(part, unknown="replace")] for part in (train, valid))
    best: tuple[float, int] = (math.inf, 0)
    for order in range(1, 9):
        model = NgramModel.fit(np.array(ids), order=order, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos)
        best = min(best, (float(token_nats(model, np.array(scored))[1:].mean()), order))
    return {"nats_per_character": best[0], "seconds": time.time() - task.started, "order": best[1]}


def xz(task: Task) -> Figures:
    """The bytes that the held-out part adds to the compressed training part, in nats per character."""
    train, valid = task.read()
    sizes = [len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) for text in (train, train + valid)]
    nats = 8 * math.log(2) * (sizes[1] - sizes[0]) / len(valid)
    return {"nats_per_character": nats, "seconds": time.time() - task.started}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A row of the table."""

    title: str
    run: Callable[[Task], Figures]
    timed: bool = True
    """Whether it has the budget; the others take what they take."""
    seeded: bool = True


PROGRAMS = {
    "charlm": Program(title="charlm", run=charlm),
    "network": Program(title="charlm, network alone", run=lambda task: charlm(task, "--ngram-order", "0")),
    "lstm": Program(title="plain nn.LSTM", run=lambda task: recurrent(PlainLSTM, task)),
    "mingru": Program(title="minGRU", run=lambda task: recurrent(MinGRU, task)),
    "nanogpt": Program(title="nanoGPT, its CPU configuration", run=nanogpt, timed=False, seeded=False),
    "transformer": Program(title="nanoGPT's model, same clock", run=transformer),
    "ngram": Program(title="best n-gram", run=ngram, timed=False, seeded=False),
    "xz": Program(title="xz", run=xz, timed=False, seeded=False),
}
"""Every program by the name that --only takes."""


def commit_of(folder: Path) -> str | None:
    """The commit of a checkout; None for a copy without its history, which may lie inside another repository."""
    if not (folder / ".git").exists():
        return None
    return call(["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]).strip()


def measure(name: str, arguments: argparse.Namespace, *, seed: int, width: int) -> Figures:
    """Run a program in a fresh process, which prints its figures as its last line."""
    command = [sys.executable, str(Path(__file__).resolve()), arguments.text, "--minutes", f"{arguments.minutes:g}"]
    command += ["--threads", str(arguments.threads), "--iterations", str(arguments.iterations)]
    command += ["--nanogpt", str(arguments.nanogpt)] if arguments.nanogpt else []
    command += ["--child", name, str(seed), str(width), str(time.time())]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(arguments.threads))
    done = subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{PROGRAMS[name].title} failed")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    if name in ("nanogpt", "transformer") and (commit := commit_of(arguments.nanogpt)):
        figures["nanogpt_commit"] = commit
    budget = f" --minutes {arguments.minutes:g}" if PROGRAMS[name].timed else ""
    return {"command": f"python benchmarks/peers.py --only {name}{budget}"} | figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nanogpt", type=Path, metavar="FOLDER", help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--iterations", type=int, default=2000, help="of nanoGPT's own training, at least 250")
    parser.add_argument("--only", help="run these programs, separated by commas; all by default")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.child:
        name, seed, width, started = arguments.child
        torch.set_num_threads(arguments.threads)
        known = {field: getattr(arguments, field) for field in ("text", "minutes", "threads", "nanogpt", "iterations")}
        task = Task(**known, seed=int(seed), width=int(width), started=float(started))
        print(json.dumps(PROGRAMS[name].run(task)))
        return
    names = arguments.only.split(",") if arguments.only else list(PROGRAMS)
    if unknown := [name for name in names if name not in PROGRAMS]:
        parser.error(f"there is no program {unknown[0]}; --only takes {', '.join(PROGRAMS)}")
    if arguments.nanogpt is None:
        names = [name for name in names if name not in ("nanogpt", "transformer")]
    elif not (arguments.nanogpt / "train.py").exists():
        parser.error(f"--nanogpt {arguments.nanogpt} has no train.py; name a checkout of karpathy/nanoGPT")
    results = Results("peers", arguments.results, threads=arguments.threads)
    print("| program | seed | nats/char | dynamic | seconds | parameters |\n| --- | --- | --- | --- | --- | --- |")
    width = DEFAULT_WIDTH
    for name in names:
        program = PROGRAMS[name]
        settings = {"program": program.title, "text": name_of(arguments.text)}
        settings |= {"minutes": arguments.minutes} if program.timed else {}
        for seed in arguments.seeds if program.seeded else (None,):
            measured = partial(measure, name, arguments, seed=seed or 0, width=width)
            figures = results.get(settings, measured, seed=seed)
            width = figures.get("width", width)
            dynamic = f"{figures['dynamic']:.4f}" if "dynamic" in figures else ""
            loss, seconds = f"{figures['nats_per_character']:.4f}", f"{figures['seconds']:.1f}"
            cells = (program.title, seed or "", loss, dynamic, seconds, figures.get("parameters", ""))
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    start(main)
