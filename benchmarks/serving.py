"""How much a live Train page slows down the training that it shows.

    python benchmarks/serving.py TEXT [--rounds 8] [--seconds 10] [--threads 1]

Trains in a temporary folder next to `charlm serve`, while the Train page in headless Chromium shows the run in one half
of each round and nothing in the other half, in turns. Prints the tokens per second of both halves of each round and
what server and browser take of the machine's processor time in each, and the medians of the ratio of speeds and of the
difference of shares. The speeds also tell what memory and caches cost, but on a noisy machine only the shares are
precise. Server and browser run all the time, so what is measured is the page that looks. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from results import ROOT, Results, add_option
from runs import name_of, start

sys.path.append(str(ROOT / "tests"))

from browser import chromium, new_page

OPTIONS = ("--ngram-order", "0", "--hidden", "256", "--batch-size", "8", "--seq-len", "64", "--seed", "1")


def main() -> None:
    """Print a row for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of half a round")
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("serving", arguments.results.resolve(), threads=arguments.threads)
    text = Path(arguments.text).resolve() if Path(arguments.text).exists() else arguments.text
    charlm = [sys.executable, "-m", "charlm"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        train = [*charlm, "train", str(text), "--run", "a", "--minutes", "600", "--validations", "1"]
        training = subprocess.Popen([*train, "--threads", str(arguments.threads), *OPTIONS], stderr=subprocess.DEVNULL)
        server = subprocess.Popen([*charlm, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip().replace("/#", "/train#")
            while not Path("runs/a/metrics.jsonl").exists() or _reached()[0] == 0:
                if training.poll() is not None:
                    raise SystemExit("the training has ended; see what `charlm train` says to this text")
                time.sleep(0.5)
            with chromium() as browser, new_page(browser, address.partition("/train")[0]) as (page, _):
                ratios, shares = _measure(page, address, arguments.rounds, arguments.seconds, other_than=training.pid)
                settings = {"text": name_of(arguments.text), "rounds": arguments.rounds, "seconds": arguments.seconds}
                figures = {"ratio": median(ratios), "ratios": ratios, "share": median(shares), "shares": shares}
                results.add(settings, figures, seed=1)
                print(f"median of the ratios: {median(ratios):.3f}, of the shares: {median(shares):.2%}")
        finally:
            for process in (training, server):
                process.terminate()
                process.wait()


def _measure(
    page: Any, address: str, rounds: int, seconds: float, *, other_than: int
) -> tuple[list[float], list[float]]:
    """The speed with the page open relative to that without, of each round, and how much more of the machine's
    processor time everything but the process `other_than` takes with the page open."""
    page.goto(address)  # the n-gram model and xz are measured once, at the first look
    while page.locator("#figures div", has_text="n-gram to beat").locator("dd").text_content() == "–":
        page.wait_for_timeout(500)
    ratios, more = [], []
    print("| round | tokens/s, page closed | page open | ratio | processor time, page closed | page open |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number in range(1, rounds + 1):
        speeds, shares = {}, {}
        for shown in (False, True) if number % 2 else (True, False):
            page.goto(address if shown else "about:blank")
            before, started, used = _reached(), time.perf_counter(), _processor_seconds(other_than)
            page.wait_for_timeout(1000 * seconds)
            while _reached() == before:  # the figures of ten steps are written at a time
                page.wait_for_timeout(100)
            used, elapsed = _processor_seconds(other_than) - used, time.perf_counter() - started
            shares[shown] = used / elapsed / (os.cpu_count() or 1)
            tokens, trained = (after - first for after, first in zip(_reached(), before, strict=True))
            speeds[shown] = tokens / trained
        ratios.append(speeds[True] / speeds[False])
        more.append(shares[True] - shares[False])
        figures = f"{speeds[False]:,.0f} | {speeds[True]:,.0f} | {ratios[-1]:.3f}"
        print(f"| {number} | {figures} | {shares[False]:.2%} | {shares[True]:.2%} |", flush=True)
    return ratios, more


def _processor_seconds(other_than: int) -> float:
    """Processor time that this process and its descendants have taken so far, without one child; what has ended counts
    for its parent."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(folder.name)], ticks[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    own = {os.getpid()}
    while found := {pid for pid, parent in parents.items() if parent in own} - own - {other_than}:
        own |= found
    return sum(ticks[pid] for pid in own) / os.sysconf("SC_CLK_TCK")


def _reached() -> tuple[float, float]:
    """The tokens and the seconds in the last record of the run."""
    lines = Path("runs/a/metrics.jsonl").read_text().rpartition("\n")[0].splitlines()
    steps = [record for line in lines[-5:] if (record := json.loads(line))["kind"] == "step"]
    return (steps[-1]["tokens"], steps[-1]["seconds"]) if steps else (0, 0)


if __name__ == "__main__":
    start(main)
