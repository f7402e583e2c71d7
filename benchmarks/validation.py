"""How close the validations of a run are to the score of the whole validation split.

    python benchmarks/validation.py TEXT... [--minutes 1] [--threads 2] [--seed 1]

Makes the rows of docs/notes/experiments.md, section "In-run validation". Each run is `charlm train TEXT --minutes M
--init-from none` without any other setting. TEXT is a file or a registered name; with ":line" appended, each line is a
document.

in the run  what the run said of the model that it kept, at the step that it kept, before calibration
at the end  what the last line of training says of it, calibrated
whole       the same two models, every token of the split scored once, as `charlm eval --split valid` does
"""

import argparse
import tempfile
from pathlib import Path

import torch
from results import Results, add_option
from runs import divided, name_of, records_of, start

import charlm
from charlm.evaluation.calibration import divide_logits
from charlm.evaluation.score import evaluate


def main() -> None:
    """Print a row for each text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("validation", arguments.results, threads=arguments.threads)
    torch.set_num_threads(arguments.threads)
    print(
        f"torch {torch.__version__}, threads: {arguments.threads}, seed {arguments.seed}, "
        f"{arguments.minutes:g} minutes; nats per token\n"
    )
    print("| text | split, tokens | scored | in the run | whole | off | scored | at the end | whole | off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for text in arguments.texts:
        print(row(text, arguments.minutes, arguments.threads, arguments.seed, results), flush=True)


def row(text: str, minutes: float, threads: int, seed: int, results: Results) -> str:
    """Train in a temporary folder, compare, and keep the result."""
    path, corpus = divided(text)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        model = charlm.train(
            path,
            minutes=minutes,
            run=run,
            corpus=corpus,  # type: ignore[arg-type]
            training={"threads": threads, "seed": seed},
            init_from=None,
        )
        facts, split = model.checkpoint.training, model.read().valid
        kept = next(record for record in records_of(run, "validation") if record["step"] == facts.step)
    calibrated = evaluate(model.model, model.tokenizer, split).nats_per_token
    divide_logits(model.model, 1 / (facts.temperature or 1.0))
    before = evaluate(model.model, model.tokenizer, split).nats_per_token
    in_run = (kept["tokens"], kept["nats_per_token"], kept["margin"], before)
    at_end = (
        facts.validation_tokens or kept["tokens"],
        facts.validation_nats_per_token,
        facts.validation_margin or 0.0,
        calibrated,
    )
    figures = {"tokens": split.facts.tokens}
    for moment, values in (("in_run", in_run), ("at_end", at_end)):
        named = zip(("scored", "nats_per_token", "margin", "whole"), values, strict=True)
        figures |= {f"{moment}_{what}": value for what, value in named}
    results.add({"text": name_of(text), "minutes": minutes}, figures, seed=seed)
    return f"| {' | '.join([name_of(text), f'{split.facts.tokens:,}', *compared(*in_run), *compared(*at_end)])} |"


def compared(tokens: int, nats: float, margin: float, exact: float) -> tuple[str, str, str, str]:
    """Tokens scored, estimate and margin, exact score, and the error."""
    return f"{tokens:,}", f"{nats:.4f} ± {margin:.4f}", f"{exact:.4f}", f"{nats / exact - 1:+.2%}"


if __name__ == "__main__":
    start(main)
