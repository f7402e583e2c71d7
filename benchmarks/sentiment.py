"""What a model of reviews knows of sentiment, and what becomes of its writing when that is steered.

    python benchmarks/sentiment.py FOLDER [--model reviews] [--strength 2] [--samples 200]

FOLDER holds what `benchmarks/reviews.py` writes. The probes learn from the reviews of a source that the model was
trained on and are tested on others; the judge of written texts, a logistic regression on TF-IDF, learnt from yet
others. Texts are written from "I couldn't" at temperature 0.7, at most 400 characters each.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import charlm
from charlm.analysis.probing.features import features, stacked
from charlm.analysis.probing.labelled import Labelled, read_table
from charlm.analysis.probing.probe import Probe, probe
from charlm.sampling import GeneratedText
from charlm.text_model import TextModel

PREFIX = "I couldn't"
WRITING: dict[str, Any] = {"temperature": 0.7, "length": 400, "batch": 64, "seed": 1}


def probe_of(loaded: TextModel, train: Labelled, test: Labelled) -> Probe:
    """A probe of sentiment."""
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    own, others = (stacked(features(model, tokenizer, table.texts), len(table.texts)) for table in (train, test))
    return probe(own, train, others, test, positive="positive")


def bits_per_token(loaded: TextModel, texts: list[str], prefix: str) -> float:
    """What the model, unsteered, makes of texts after a prefix."""
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    known = len(tokenizer.encode(prefix))
    nats = count = 0.0
    with torch.inference_mode():
        for text in texts:
            ids = torch.from_numpy(tokenizer.encode(text, unknown="replace").astype(np.int64))
            read = torch.cat((torch.tensor([tokenizer.bos]), ids))
            log_p = torch.log_softmax(model(read[:-1, None])[0][:, 0], dim=-1)
            nats -= float(log_p.gather(1, ids[:, None])[known:].sum())
            count += len(ids) - known
    return float(nats / count / np.log(2))


def bits_per_character(loaded: TextModel, folder: Path) -> tuple[float, float, int]:
    """Of the held-out reviews, by the model and by the best n-gram of the same tokens, and its order."""
    held_out = loaded.read([str(folder / "test.txt")], documents="line")
    own = loaded.read([str(folder / "train.txt")], split="train")
    ngram = loaded.baselines(held_out, "train", own=own)["ngram"]
    assert ngram.order is not None
    return loaded.score(held_out, "train").bits_per_character, ngram.bits_per_character, ngram.order


def speed(loaded: TextModel, texts: list[str]) -> tuple[float, float, int]:
    """Documents a second by `features`, and one at a time through `torch.nn.LSTM` of the same width; and how many were
    read so."""
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    started = time.monotonic()
    stacked(features(model, tokenizer, texts), len(texts))
    ours = len(texts) / (time.monotonic() - started)
    some = texts[:: max(1, len(texts) // 200)]
    layer = torch.nn.LSTM(model.config.embedding_size, model.config.hidden_size)
    with torch.inference_mode():
        started = time.monotonic()
        for text in some:
            ids = torch.from_numpy(tokenizer.encode(text, unknown="replace").astype(np.int64))
            outputs, (hidden, cell) = layer(model.embedding[ids])
            torch.cat((hidden[0], cell[0], outputs.mean(0)))
    return ours, len(some) / (time.monotonic() - started), len(some)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="reviews")
    parser.add_argument("--strength", type=float, default=2)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--show", type=int, default=0, help="print so many texts of each kind")
    given = parser.parse_args()
    torch.set_num_threads(2)
    loaded = charlm.load(given.model)
    train, tests = (
        {source: read_table(given.folder / f"{part}-{source}.tsv") for source in ("imdb", "rotten")}
        for part in ("train", "test")
    )
    judged = read_table(given.folder / "judge.tsv")

    def row(what: str, figure: str) -> None:
        print(f"| {what} | {figure} |", flush=True)

    print(f"torch {torch.__version__}, 2 threads; {given.model}\n\n| what | figure |\n| --- | --- |")
    for name, test in tests.items():
        one = probe_of(loaded, train[name], test)
        for judge, accuracy in (("full probe", one.full), ("single unit", one.unit.accuracy), ("words", one.words)):
            low, high = accuracy.interval
            row(f"{name}, {judge} ({one.full.total:,} texts)", f"{accuracy.share:.3f} ({low:.3f} to {high:.3f})")
    judge = make_pipeline(TfidfVectorizer(min_df=2, ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
    judge.fit(judged.texts, judged.truth("positive"))
    for name, test in tests.items():
        row(f"judge on {name}", f"{judge.score(test.texts, test.truth('positive')):.3f}")
    written: dict[str, list[GeneratedText]] = {}
    for name, steer in (
        ("unsteered", ()),
        (f"+{given.strength:g}", (f"sentiment={given.strength}",)),
        (f"-{given.strength:g}", (f"sentiment=-{given.strength}",)),
    ):
        written[name] = list(loaded.write(PREFIX, num=given.samples, steer=steer, **WRITING))
    usual = bits_per_token(loaded, [one.text for one in written["unsteered"]], PREFIX)
    for name, texts in written.items():
        kinds = judge.predict([one.text for one in texts])
        row(f"judge says positive, {name} ({given.samples} texts)", f"{kinds.mean():.3f}")
        bits = bits_per_token(loaded, [one.text for one in texts], PREFIX)
        row(f"bits per token, {name}", f"{bits:.3f} ({bits / usual:.2f} times)")
    own, ngram, order = bits_per_character(loaded, given.folder)
    row("bits per character, held-out reviews", f"{own:.4f}")
    row(f"bits per character, n-gram of order {order}", f"{ngram:.4f} (the model: {1 - own / ngram:.1%} fewer)")
    fast, slow, count = speed(loaded, train["imdb"].texts[:10_000])
    row("documents a second, 10,000 reviews", f"{fast:.1f}")
    row(f"one at a time, torch.nn.LSTM ({count} of them)", f"{slow:.1f} (ours: {fast / slow:.1f} times as many)")
    for name, texts in written.items():
        for one in texts[: given.show]:
            print(f"\n[{name}] {one.text}")


if __name__ == "__main__":
    main()
