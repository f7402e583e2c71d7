"""How fast the Write page of `charlm serve` shows a text in headless Chromium.

    python benchmarks/write_page.py MODEL [--rounds 20] [--length 20000]

first character   milliseconds from the click on Write to the first character in the page, the median of the rounds
characters/s      from the first character to the last of a text of --length, the median of five, plain and coloured
longest frame     milliseconds between two frames of the page meanwhile, the largest of the five; at 60 frames a second
                  a page that keeps up has 17, and one that is a frame behind 33
"""

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from results import ROOT, Results, add_option
from runs import start, text_of

import charlm

sys.path.append(str(ROOT / "tests"))

from browser import chromium, new_page

_TEXTS = 5
_WRITE = """([length, seed, coloured]) => new Promise((done) => {
  const field = (id, value) => { document.getElementById(id).value = value; };
  field("length", length);
  field("seed", seed);
  const colours = document.getElementById("colours");
  if (colours.checked !== coloured) colours.click();
  const samples = document.getElementById("samples"), button = document.getElementById("write");
  const shown = () => samples.querySelector(".text")?.textContent.length ?? 0;
  let first = null, longest = 0, before = null;
  const watch = new MutationObserver(() => { if (first === null && shown()) first = performance.now(); });
  const began = performance.now();
  const frame = (now) => {
    if (first !== null && before !== null) longest = Math.max(longest, now - before);
    before = now;
    if (first !== null && button.textContent === "Write") {
      watch.disconnect();
      done({ first: first - began, speed: 1000 * shown() / (performance.now() - first), longest });
    } else requestAnimationFrame(frame);
  };
  button.click();
  watch.observe(samples, { childList: true, characterData: true, subtree: true });
  requestAnimationFrame(frame);
})"""


def main() -> None:
    """Print the figures of plain and of coloured texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--length", type=int, default=20_000)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("write_page", arguments.results.resolve(), threads=2)
    settings = {"text": text_of(charlm.load(arguments.model)), "length": arguments.length}
    print("| characters | first character, ms | characters/s | longest frame, ms |")
    print("| --- | --- | --- | --- |")
    command = [sys.executable, "-m", "charlm", "serve", str(Path(arguments.model).resolve()), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            with chromium() as browser, new_page(browser, address.partition("/#")[0]) as (page, _):
                page.goto(address)
                page.wait_for_selector("main:not([aria-busy])")
                for coloured in (False, True):
                    figures = measure(page, arguments.rounds, arguments.length, coloured=coloured)
                    results.add(settings | {"characters": "coloured" if coloured else "plain"}, figures, seed=1)
                    shown = f"{figures['first']:.0f} | {figures['speed']:,.0f} | {figures['longest']:.0f}"
                    print(f"| {'coloured' if coloured else 'plain'} | {shown} |", flush=True)
        finally:
            server.terminate()


def measure(page: Any, rounds: int, length: int, *, coloured: bool) -> dict[str, Any]:
    """Write short texts for the first character and long ones for the speed."""
    page.evaluate(_WRITE, [10, 0, coloured])  # loads the model
    firsts = [page.evaluate(_WRITE, [10, seed, coloured])["first"] for seed in range(1, rounds + 1)]
    texts = [page.evaluate(_WRITE, [length, seed, coloured]) for seed in range(1, _TEXTS + 1)]
    speeds = [text["speed"] for text in texts]
    longest = max(text["longest"] for text in texts)
    return {"first": median(firsts), "firsts": firsts, "speed": median(speeds), "speeds": speeds, "longest": longest}


if __name__ == "__main__":
    start(main)
