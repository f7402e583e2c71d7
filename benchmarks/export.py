"""What a page of `charlm export` takes, what it loses, and how fast it writes in headless Chromium.

    python benchmarks/export.py MODEL... [--max-sizes 3 1] [--rounds 5]

Makes the rows of docs/notes/experiments.md, section "Exported pages". `--max-sizes` are in MB. The speed is that of the
Write view: characters written and shown, from the click to the last, the median of the rounds.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from results import ROOT, Results, add_option
from runs import start, text_of

from charlm.export import Export, export_page
from charlm.loading import load

sys.path.append(str(ROOT / "tests"))

from browser import chromium, new_page

CHARACTERS = 10_000
_WRITE = """new Promise((done) => {{
  document.getElementById("length").value = {characters};
  document.getElementById("seed").value = {seed};
  const began = performance.now();
  document.getElementById("start").click();
  const look = () => document.getElementById("copy").disabled ? setTimeout(look, 5)
    : done(1000 * document.getElementById("texts").textContent.length / (performance.now() - began));
  look();
}})"""


def main() -> None:
    """Print a row for each model and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--max-sizes", type=float, nargs="+", default=[3.0])
    parser.add_argument("--rounds", type=int, default=5)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("export", arguments.results, threads=2)
    print("| text | tokens | vocabulary | largest, MB | bytes | n-grams | bits | of the model | loss | characters/s |")
    print("|" + " --- |" * 10)
    for name in arguments.models:
        model = load(name)
        for max_size in arguments.max_sizes:
            export = export_page(model, max_size=int(max_size * 1_000_000))
            speeds = characters_per_second(export, arguments.rounds)
            settings = {
                "text": text_of(model),
                "tokens": model.tokenizer.kind,
                "vocabulary": model.tokenizer.vocab_size,
                "hidden": model.model.config.hidden_size,
                "max_size_mb": max_size,
            }
            facts = export.facts.to_json()
            results.add(settings, facts | {"speeds": speeds, "characters_per_second": median(speeds)}, seed=1)
            print(
                f"| {settings['text']} | {settings['tokens']} | {settings['vocabulary']:,} | {max_size:g} "
                f"| {facts['bytes']:,} | {facts['ngrams']:,} of {facts['ngrams_before']:,} "
                f"| {facts['bits_per_character']:.4f} | {facts['bits_per_character_before']:.4f} "
                f"| {facts['loss']:.1%} | {median(speeds):,.0f} |",
                flush=True,
            )


def characters_per_second(export: Export, rounds: int) -> list[float]:
    """The speed of each round."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder, "page.html")
        file.write_text(export.page, encoding="utf-8")
        with new_page(browser, file.as_uri()) as (page, _):
            page.goto(file.as_uri())
            page.wait_for_selector("#start:not(:disabled)")
            return [float(page.evaluate(_WRITE.format(characters=CHARACTERS, seed=seed))) for seed in range(rounds)]


if __name__ == "__main__":
    start(main)
