"""One model of labelled texts, next to a model of each text and to a model without labels.

    python benchmarks/labels.py TEXT... [--minutes 1] [--threads 1] [--seed 1]

Each TEXT (a file, or a name from `charlm corpora`) is a label. Its first 90% are trained on, 5% are for validation, and
the last 5% are scored. Three things are trained for the same total time: one model with labels, one without, and a
model of each text, which shares the time by the size of its text. The figures are bits per character of all scored
texts together: of the models of each text on their own text, of the labelled model with labels and without, and of the
model without labels; and how often the labelled model finds the text that a paragraph is from, if all are as likely.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from results import Results, add_option
from runs import name_of, start

SPLITS = ("train", "valid", "test")


def write_splits(texts: list[str], folder: Path) -> dict[str, list[Path]]:
    """Write the splits of every text; returns the files of each split."""
    from charlm.config import CorpusConfig
    from charlm.data.corpus import open_corpus

    files: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for text in texts:
        corpus = open_corpus(text, CorpusConfig())
        for split in SPLITS:
            path = folder / split / f"{Path(corpus.name).stem}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(corpus.split_texts(split)), encoding="utf-8")
            files[split].append(path)
    return files


def measure(texts: list[str], minutes: float, threads: int, seed: int, folder: Path) -> dict[str, float]:
    """The figures of all models."""
    import charlm
    from charlm.evaluation.spans.classification import Confusion

    torch.set_num_threads(threads)
    files = write_splits(texts, folder)
    settings = {"minutes": minutes, "threads": threads, "seed": seed}

    def run(name: str, **changes: object) -> charlm.TextModel:
        arguments = {"text": files["train"], "valid": files["valid"], "run": folder / name} | settings | changes
        return charlm.train(**arguments)  # type: ignore[arg-type]

    def bits(model: charlm.TextModel, scored: list[Path]) -> float:
        return model.evaluate(scored).nats

    labelled, plain = run("labelled", label_files="label"), run("plain")
    sizes = [path.stat().st_size for path in files["train"]]
    apart = 0.0
    for train, valid, test, size in zip(*files.values(), sizes, strict=True):
        own_minutes = minutes * size / sum(sizes)
        own = run(f"own-{train.stem}", text=train, valid=valid, minutes=own_minutes)
        apart += bits(own, [test])
    scored = labelled.evaluate(files["test"])
    scale = scored.bits_per_character / scored.nats
    confusion = Confusion(labelled.model.config.labels[0].values)
    uniform = [1 / len(texts)] * len(texts)
    for one in labelled.classify(files["test"], prior=uniform, corpus={"documents": "paragraph"}):
        confusion.add(one)
    return {
        "apart": scale * apart,
        "labelled": scored.bits_per_character,
        "labelled_without": scale * bits(labelled.with_labels(), files["test"]),
        "plain": scale * bits(plain, files["test"]),
        "accuracy": confusion.accuracy,
        "paragraphs": confusion.documents,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    if len({*map(name_of, arguments.texts)}) < len(arguments.texts):
        parser.error("two texts have the same name, which is their label")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.texts, arguments.minutes, arguments.threads, arguments.seed, Path(folder))
    print("| models of each text | labels | labels left out | without labels | paragraphs found |")
    print("| --- | --- | --- | --- | --- |")
    shown = [f"{figures[name]:.4f}" for name in ("apart", "labelled", "labelled_without", "plain")]
    print(f"| {' | '.join(shown)} | {figures['accuracy']:.1%} of {figures['paragraphs']:,} |")
    what = {"texts": [*map(name_of, arguments.texts)], "minutes": arguments.minutes}
    Results("labels", arguments.results, threads=arguments.threads).add(what, figures, seed=arguments.seed)


if __name__ == "__main__":
    start(main)
