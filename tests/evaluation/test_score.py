import math
from itertools import pairwise

import pytest
import torch

from charlm.config import TokenizerConfig
from charlm.data.dataset import Dataset
from charlm.evaluation.score import evaluate
from charlm.model.language_model import LanguageModel

BOTTLES = "".join(f"{n} bottles of beer on the wall, {n} böttles — of beer.\n" for n in range(60))


def plain(model: LanguageModel, dataset: Dataset, split: str) -> float:
    """The definition as a double loop: over the documents, and token by token, with a state from the beginning."""
    part, total = dataset.split(split), 0.0
    model.eval()
    with torch.no_grad():
        for start, stop in zip(part.starts[:-1], part.starts[1:], strict=True):
            ids = [int(token) for token in part.ids[start:stop]]
            states = None
            for token, following in pairwise(ids):
                logits, states = model(torch.tensor([[token]]), states)
                total -= torch.log_softmax(logits[0, 0].double(), dim=0)[following].item()
                if following == dataset.tokenizer.unk:
                    total += math.log(dataset.tokenizer.unseen_characters)
    return total


@pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_it_agrees_with_a_plain_double_loop(dataset_of, network_for, kind: str, documents: str) -> None:
    dataset = dataset_of(BOTTLES, TokenizerConfig(kind=kind, vocab_size=350), documents=documents, splits=(60, 20, 20))
    model = network_for(dataset).double()
    for name in ("valid", "test"):
        found = evaluate(model, dataset.tokenizer, dataset.split(name))
        assert found.nats == pytest.approx(plain(model, dataset, name), abs=1e-4)


def test_it_agrees_in_single_precision_too(dataset_of, network_for) -> None:
    dataset = dataset_of(BOTTLES)
    model = network_for(dataset)
    found = evaluate(model, dataset.tokenizer, dataset.test)
    assert found.nats_per_token == pytest.approx(plain(model, dataset, "test") / found.tokens, abs=1e-4)


def test_the_tokenizers_are_measured_by_the_same_bytes(dataset_of, network_for) -> None:
    sizes = set()
    for kind in ("char", "byte", "subword"):
        dataset = dataset_of(BOTTLES, TokenizerConfig(kind=kind, vocab_size=350))
        found = evaluate(network_for(dataset), dataset.tokenizer, dataset.test)
        sizes.add((found.characters, found.bytes, found.documents))
        assert found.bits_per_byte == pytest.approx(found.nats / math.log(2) / found.bytes)
        assert found.bits_per_character == pytest.approx(found.nats / math.log(2) / found.characters)
        assert found.perplexity == pytest.approx(math.exp(found.nats / found.tokens))
    boundaries = dataset.corpus.boundaries()
    test = BOTTLES[boundaries[1] :]
    assert sizes == {(len(test), len(test.encode()), 1)}


def test_a_uniform_model_costs_the_logarithm_of_the_vocabulary(dataset_of, network_for) -> None:
    dataset = dataset_of(BOTTLES)
    model = network_for(dataset)
    with torch.no_grad():
        model.output.zero_()
        model.output_bias.zero_()
    found = evaluate(model, dataset.tokenizer, dataset.test)
    assert found.nats_per_token == pytest.approx(math.log(dataset.tokenizer.vocab_size), rel=1e-6)
    assert found.tokens == found.characters + 1


def test_an_unknown_character_costs_unk_and_a_uniform_code(dataset_of, network_for) -> None:
    dataset = dataset_of("ab" * 50 + "aé", splits=(98, 0, 2))
    model = network_for(dataset)
    with torch.no_grad():
        model.output.zero_()
        model.output_bias.zero_()
    found = evaluate(model, dataset.tokenizer, dataset.test)
    unseen = 0x110000 - 0x800 - 2
    assert found.unknown_characters == 1
    assert found.nats == pytest.approx(found.tokens * math.log(5) + math.log(unseen), rel=1e-6)


def test_the_score_of_a_document_does_not_depend_on_its_neighbours(dataset_of, network_for) -> None:
    lines = [f"{n} green bottles" * (n % 4 + 1) + "\n" for n in range(30)]
    dataset = dataset_of("".join(lines), documents="line", splits=(100, 0, 0))
    model = network_for(dataset).double()
    whole = evaluate(model, dataset.tokenizer, dataset.train)
    alone = 0.0
    for line in lines:
        single = dataset_of(line, splits=(100, 0, 0), documents="line")
        ids = torch.tensor([dataset.tokenizer.bos, *dataset.tokenizer.encode(line.strip()), dataset.tokenizer.eos])
        logits, _ = model.eval()(ids[:-1, None])
        alone += torch.nn.functional.cross_entropy(logits[:, 0], ids[1:], reduction="sum").item()
        assert single.train.facts.documents == 1
    assert whole.nats == pytest.approx(alone, rel=1e-10)


def test_it_leaves_the_model_in_its_mode(dataset_of, network_for) -> None:
    dataset = dataset_of(BOTTLES)
    model = network_for(dataset).train()
    first = evaluate(model, dataset.tokenizer, dataset.test)
    assert model.training
    assert evaluate(model.eval(), dataset.tokenizer, dataset.test) == first
