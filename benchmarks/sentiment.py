"""What a model of reviews knows about sentiment, and how steering along it changes what the model writes.

    python benchmarks/sentiment.py FOLDER [--model reviews] [--strength 2] [--samples 200] [--show 3]

Makes the rows of docs/benchmarks.md, section "Sentiment". FOLDER has the files of `benchmarks/reviews.py`. The
probes are trained on reviews of one source that the model was trained on, and tested on held-out reviews of the same
source. The classifier of generated texts, a logistic regression on TF-IDF, is trained on other reviews. Texts begin
with "I couldn't" and have at most 400 characters, at temperature 0.7.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from results import Results, add_option
from runs import start
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import charlm
from charlm.analysis.probing.features import features, stacked
from charlm.analysis.probing.labelled import Labelled, read_labelled
from charlm.analysis.probing.probe import Probe, probe
from charlm.sampling import GeneratedText, SampleConfig
from charlm.sampling.config import Steer
from charlm.text_model import TextModel

PREFIX = "I couldn't"
SOURCES = {"imdb": "IMDB", "rotten": "Rotten Tomatoes"}
"""The sources in the names of files, and in the table."""


def probe_sentiment(loaded: TextModel, train: Labelled, test: Labelled) -> Probe:
    """Probes of sentiment, trained and tested."""
    vectors, test_vectors = (
        stacked(features(loaded.model, loaded.tokenizer, table.texts), len(table.texts)) for table in (train, test)
    )
    return probe(vectors, train, test_vectors, test, positive="positive")


def write(loaded: TextModel, samples: int, strength: float) -> list[GeneratedText]:
    """Texts with the sentiment held at a strength; 0 is unsteered."""
    steer = (Steer("sentiment", strength),) if strength else ()
    config = SampleConfig(temperature=0.7, length=400, steer=steer)
    return list(loaded.generate_many(PREFIX, config, seed=1, num=samples, batch=64))


def bits_per_token(loaded: TextModel, texts: list[str], prefix: str) -> float:
    """What the unsteered model charges for texts after a prefix."""
    model, tokenizer = loaded.model, loaded.tokenizer
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
    """Bits per character of the held-out reviews by the model and by the best n-gram model of the same tokens, and the
    order of the latter."""
    held_out = loaded.read([str(folder / "test.txt")], corpus={"documents": "line"})
    own = loaded.read([str(folder / "train.txt")], split="train")
    ngram = loaded.baselines(held_out, "train", own=own)["ngram"]
    assert ngram.order is not None
    return loaded.score(held_out, "train").bits_per_character, ngram.bits_per_character, ngram.order


def documents_per_second(loaded: TextModel, texts: list[str]) -> tuple[float, float, int]:
    """Documents per second by `features`, and one at a time by `torch.nn.LSTM` of the same width; and how many the LSTM
    has read."""
    model, tokenizer = loaded.model, loaded.tokenizer
    started = time.monotonic()
    stacked(features(model, tokenizer, texts), len(texts))
    own = len(texts) / (time.monotonic() - started)
    some = texts[:: max(1, len(texts) // 200)]
    layer = torch.nn.LSTM(model.config.embedding_size, model.config.hidden_size)
    with torch.inference_mode():
        started = time.monotonic()
        for text in some:
            ids = torch.from_numpy(tokenizer.encode(text, unknown="replace").astype(np.int64))
            outputs, (hidden, cell) = layer(model.embedding[ids])
            torch.cat((hidden[0], cell[0], outputs.mean(0)))
    return own, len(some) / (time.monotonic() - started), len(some)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="reviews")
    parser.add_argument("--strength", type=float, default=2)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--show", type=int, default=0, help="how many generated texts of each kind to print")
    add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    results = Results("sentiment", arguments.results, threads=2)
    loaded = charlm.load(arguments.model)
    train, tests = (
        {source: read_labelled(arguments.folder / f"{part}-{source}.tsv") for source in SOURCES}
        for part in ("train", "test")
    )
    for_classifier = read_labelled(arguments.folder / "classifier.tsv")

    def row(what: str, figure: float, form: str, *, texts: int | None = None, **more: float) -> None:
        count = f" ({texts:,} texts)" if texts else ""
        notes = "".join(f", {name} {value:.3f}" for name, value in more.items())
        print(f"| {what}{count} | {format(figure, form)}{notes} |", flush=True)
        settings = {"what": what} | ({"texts": texts} if texts else {})
        results.add(settings, {"figure": float(figure), **more}, seed=1)

    print(f"torch {torch.__version__}, 2 threads; {arguments.model}\n\n| what | figure |\n| --- | --- |")
    for source, test in tests.items():
        result = probe_sentiment(loaded, train[source], test)
        for name, accuracy in (
            ("full probe", result.full),
            ("single unit", result.unit.accuracy),
            ("words", result.words),
        ):
            low, high = accuracy.interval
            what = f"{SOURCES[source]}, {name}"
            row(what, accuracy.share, ".3f", texts=result.full.total, low=float(low), high=float(high))
    classifier = make_pipeline(TfidfVectorizer(min_df=2, ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
    classifier.fit(for_classifier.texts, for_classifier.truth("positive"))
    for source, test in tests.items():
        row(f"classifier accuracy on {SOURCES[source]}", classifier.score(test.texts, test.truth("positive")), ".3f")
    generated = {
        f"{strength:+g}" if strength else "unsteered": write(loaded, arguments.samples, strength)
        for strength in (0.0, arguments.strength, -arguments.strength)
    }
    for name, texts in generated.items():
        positive = classifier.predict([one.text for one in texts])
        row(f"classified as positive, {name}", positive.mean(), ".3f", texts=arguments.samples)
        row(f"bits per token, {name}", bits_per_token(loaded, [one.text for one in texts], PREFIX), ".3f")
    own, ngram, order = bits_per_character(loaded, arguments.folder)
    row("bits per character, held-out reviews", own, ".4f")
    row(f"bits per character, n-gram of order {order}", ngram, ".4f")
    texts_to_read = train["imdb"].texts[:10_000]
    own_speed, lstm_speed, count = documents_per_second(loaded, texts_to_read)
    row("documents per second", own_speed, ".1f", texts=len(texts_to_read))
    row("one at a time, torch.nn.LSTM", lstm_speed, ".1f", texts=count)
    for name, texts in generated.items():
        for one in texts[: arguments.show]:
            print(f"\n[{name}] {one.text}")


if __name__ == "__main__":
    start(main)
