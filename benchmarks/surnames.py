"""Which language a surname is from: one labelled model next to logistic regression on character 1-5-grams.

    pip install scikit-learn
    python benchmarks/surnames.py FOLDER [--minutes 1] [--threads 1] [--seed 1]

FOLDER has a file of surnames per language, one a line, as in the data of PyTorch's tutorial on classifying names
(data/names in https://download.pytorch.org/tutorial/data.zip). A name is taken once per language. A fifth of the names
of each language is held out and a tenth is for validation. A name that several languages share is in the same split
for all of them, so no held-out name was read in training; at most one of its languages can then be found.

The regression has the counts of all 1-5-grams of the name with a mark at each end, or their tf-idf. Its features and C
are those with the lowest log loss on the validation names, and it is then fitted to training and validation names.
charlm runs with its defaults and takes the validation names to stop at its best and to calibrate.
"""

import argparse
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from results import Results, add_option
from runs import start

SHARES = {"test": 0.2, "valid": 0.1}  # the rest is trained on
REGULARISATIONS = (1.0, 10.0, 100.0)

Names = list[tuple[str, str]]
"""Names, each with its language."""


def split_names(folder: Path, seed: int) -> dict[str, Names]:
    """The names of each split: the same shares of the names of every set of languages."""
    languages: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if name := line.strip():
                languages[name].add(path.stem)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(languages):
        groups[tuple(sorted(languages[name]))].append(name)
    generator = random.Random(seed)
    splits: dict[str, Names] = {"train": [], "valid": [], "test": []}
    for group, names in sorted(groups.items()):
        generator.shuffle(names)
        end = 0
        for split, share in SHARES.items():
            start, end = end, end + round(share * len(names))
            splits[split] += [(name, language) for name in names[start:end] for language in group]
        splits["train"] += [(name, language) for name in names[end:] for language in group]
    return splits


def scores(names: Names, probabilities: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Accuracy, mean accuracy of the languages, and nats per name."""
    right: dict[str, list[bool]] = defaultdict(list)
    nats = 0.0
    for (_, language), row in zip(names, probabilities, strict=True):
        right[language].append(max(row, key=row.__getitem__) == language)
        nats -= math.log(max(row[language], 1e-15))
    return {
        "accuracy": sum(map(sum, right.values())) / len(names),
        "macro": sum(sum(found) / len(found) for found in right.values()) / len(right),
        "nats": nats / len(names),
    }


def regression(splits: Mapping[str, Names]) -> tuple[dict[str, float], str]:
    """The scores of logistic regression, and the features and C that were chosen."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    kinds = {"counts": CountVectorizer, "tf-idf": TfidfVectorizer}

    def measure(choice: tuple[str, float], trained: Names, measured: Names) -> dict[str, float]:
        kind, strength = choice
        grams = kinds[kind](analyzer="char", ngram_range=(1, 5), lowercase=False)
        model = make_pipeline(grams, LogisticRegression(C=strength, max_iter=300))
        model.fit([f"^{name}$" for name, _ in trained], [language for _, language in trained])
        rows = model.predict_proba([f"^{name}$" for name, _ in measured])
        return scores(measured, [dict(zip(model.classes_, row, strict=True)) for row in rows])

    choices = [(kind, strength) for kind in kinds for strength in REGULARISATIONS]
    best = min(choices, key=lambda choice: measure(choice, splits["train"], splits["valid"])["nats"])
    return measure(best, splits["train"] + splits["valid"], splits["test"]), f"{best[0]}, C={best[1]:g}"


def labelled(splits: Mapping[str, Names], minutes: float, seed: int, threads: int, folder: Path) -> dict[str, float]:
    """The scores of a labelled model that is trained with the defaults."""
    import charlm

    files: dict[str, list[Path]] = defaultdict(list)
    for split, names in splits.items():
        texts: dict[str, list[str]] = defaultdict(list)
        for name, language in names:
            texts[language].append(name)
        for language, lines in texts.items():
            path = folder / split / f"{language}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            files[split].append(path)
    model = charlm.train(
        files["train"],
        valid=files["valid"],
        label_files="language",
        documents="line",
        minutes=minutes,
        seed=seed,
        threads=threads,
        run=folder / "run",
    )
    found = list(model.classify(files["test"]))
    return scores([(one.text, one.truth or "") for one in found], [one.probabilities for one in found])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    splits = split_names(arguments.folder, arguments.seed)
    if not splits["train"]:
        parser.error(f"{arguments.folder} has no files LANGUAGE.txt with a surname on each line")
    print(", ".join(f"{split}: {len(names):,} names" for split, names in splits.items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        own = labelled(splits, arguments.minutes, arguments.seed, arguments.threads, Path(folder))
    print(f"charlm: {own}", flush=True)
    other, chosen = regression(splits)
    print(f"logistic regression ({chosen}): {other}", flush=True)
    results = Results("surnames", arguments.results, threads=arguments.threads)
    names = len(splits["test"])
    results.add({"method": "charlm", "minutes": arguments.minutes, "names": names}, own, seed=arguments.seed)
    results.add({"method": "logistic regression", "names": names}, other | {"chosen": chosen}, seed=arguments.seed)


if __name__ == "__main__":
    start(main)
