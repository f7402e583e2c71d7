"""What charlm reaches on the texts and splits that papers use: network alone and with its prior, static and dynamic.

    python benchmarks/standard.py TEXT... [--minutes 1 5] [--seeds 1 2 3] [--splits 90/10/0]
        [--networks prior alone] [--threads 2]

TEXT is a file or a named corpus, which `--splits` divides; a named corpus with official splits; or a folder with
train.txt, valid.txt and test.txt. Each run is `charlm train TEXT --minutes M --threads N --init-from none`, without any
other setting; "alone" adds `--ngram-order 0`. Validation chooses the checkpoint and calibrates. The score is that of
the test split or, with --splits A/B/0, that of the validation split, which has chosen, too. "Dynamic" is
`charlm eval --dynamic`. Nothing else should run on the same cores.

A run that this machine has made in this state of the program is not repeated.
"""

import argparse
import json
import tempfile
from functools import partial
from typing import Any

from results import Results, add_option
from runs import name_of, run_charlm, start
from words import arguments_of

NETWORKS = {"with prior": (), "alone": ("--ngram-order", "0")}
"""The options of each row's network."""


def run(text: str, options: list[str], *, threads: int) -> dict[str, Any]:
    """Train with these options, and evaluate twice: the figures of a line of the results file."""
    with tempfile.TemporaryDirectory() as folder:
        trained = json.loads(run_charlm("train", *arguments_of(text), *options, "--run", f"{folder}/run", "--json"))

        def evaluate(*more: str) -> dict[str, Any]:
            options = ("--threads", threads, "--json", "--no-baselines", *more)
            values: dict[str, Any] = json.loads(run_charlm("eval", f"{folder}/run", *options))
            return values

        static, dynamic = evaluate(), evaluate("--dynamic")
        info = json.loads(run_charlm("info", f"{folder}/run", "--json"))
    return {
        "steps": trained["step"],
        "epoch": trained["epoch"],
        "seconds": trained["seconds"],
        "parameters": info["parameters"],
        "words": static["words"],
        **{name: static[name] for name in ("nats_per_character", "bits_per_character", "perplexity_per_word")},
        "dynamic_nats": dynamic["nats_per_character"],
        "dynamic_bits": dynamic["bits_per_character"],
        "dynamic_perplexity_per_word": dynamic["perplexity_per_word"],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 5.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--splits", help="of a text without official splits, in per cent, as 90/10/0")
    parser.add_argument("--networks", nargs="+", choices=("prior", "alone"), default=["prior", "alone"])
    parser.add_argument("--threads", type=int, default=2)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("standard", arguments.results, threads=arguments.threads)
    print("| text | splits | minutes | network | seed | bits/char | dynamic | perplexity per word | dynamic |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for minutes in arguments.minutes:
        for text in arguments.texts:
            for name in (network for network in NETWORKS if network.split()[-1] in arguments.networks):
                for seed in arguments.seeds:
                    settings = {"text": name_of(text), "splits": arguments.splits or "official"}
                    settings |= {"minutes": minutes, "network": name}
                    options = ["--minutes", f"{minutes:g}", "--threads", str(arguments.threads)]
                    options += ["--init-from", "none", "--seed", str(seed), *NETWORKS[name]]
                    options += ["--splits", arguments.splits] if arguments.splits else []
                    measured = partial(run, text, options, threads=arguments.threads)
                    one = results.get(settings, measured, seed=seed)
                    figures = f"{one['bits_per_character']:.4f} | {one['dynamic_bits']:.4f}"
                    figures += f" | {one['perplexity_per_word']:.1f} | {one['dynamic_perplexity_per_word']:.1f}"
                    print(f"| {' | '.join(map(str, settings.values()))} | {seed} | {figures} |", flush=True)


if __name__ == "__main__":
    start(main)
