"""How well n-gram models predict, how long fitting them takes, and how much memory it needs.

    python benchmarks/ngram.py [TEXT] [--orders 5 6 7 8]

Makes the rows of docs/benchmarks.md, section "N-grams". TEXT is a file or a registered name, tinyshakespeare by
default. The models are fitted to its first 90 per cent and scored on the rest, without EOS. Each order is fitted three
times, in turn with the others, and the median time is printed. "peak" is what one more fit allocates, as tracemalloc
counts it.
"""

import argparse
import statistics
import time
import tracemalloc

import numpy as np
from results import Results, add_option
from runs import start

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--orders", type=int, nargs="+", default=[5, 6, 7, 8])
    add_option(parser)
    arguments = parser.parse_args()
    dataset = make_dataset(open_corpus(arguments.text, CorpusConfig(splits=(90, 0, 10))), TokenizerConfig(kind="char"))
    train, test = dataset.train.ids, dataset.test.ids
    counted = np.isin(test, [dataset.tokenizer.bos, dataset.tokenizer.eos], invert=True)

    def fit(order: int) -> NgramModel:
        return NgramModel.fit(train, order=order, vocab_size=dataset.tokenizer.vocab_size, bos=dataset.tokenizer.bos)

    seconds: dict[int, list[float]] = {order: [] for order in arguments.orders}
    for _ in range(3):
        for order in arguments.orders:
            started = time.perf_counter()
            fit(order)
            seconds[order].append(time.perf_counter() - started)
    results = Results("ngram", arguments.results, threads=1)
    print(f"{dataset.corpus.name}, {len(train):,} tokens, numpy {np.__version__}, 1 thread\n")
    print("| order | nats/char | n-grams | seconds per million tokens | model, MB | peak, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for order in arguments.orders:
        tracemalloc.start()
        model = fit(order)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        nats = token_nats(model, test)[counted].mean()
        each = statistics.median(seconds[order]) / len(train) * 1e6
        print(f"| {order} | {nats:.4f} | {model.num_ngrams:,} | {each:.2f} | {model.nbytes / 1e6:.1f} | {peak:.0f} |")
        figures = {
            "nats_per_character": float(nats),
            "ngrams": model.num_ngrams,
            "seconds_per_million": each,
            "model_mb": model.nbytes / 1e6,
            "peak_mb": peak,
        }
        results.add({"text": dataset.corpus.name, "order": order}, figures)


if __name__ == "__main__":
    start(main)
