"""What a fine-tuned model has forgotten of the model that it began with."""

import copy
import math

import pytest
import torch

from charlm.analysis.runs.forgetting import measure_forgetting
from charlm.sampling.free_texts import free_texts


@pytest.fixture
def trained(planted):
    return planted.model(), planted.tokenizer


def test_a_model_has_forgotten_nothing_of_itself(trained) -> None:
    found = measure_forgetting(trained, trained)
    assert found.before == found.after > 0
    assert found.to_json()["bits_per_character"] == found.bits_per_character == 0


def test_it_is_the_mean_cost_of_what_the_first_writes(trained) -> None:
    """Against a loop over the characters, in which each is looked up in the softmax of its own step."""
    model, tokenizer = trained
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.output_bias.add_(torch.linspace(-1, 1, len(other.output_bias)))
    found = measure_forgetting(trained, (other, tokenizer))
    bits = [0.0, 0.0]
    texts = list(free_texts(model, tokenizer, found.characters))
    for text in texts:
        ids = [tokenizer.bos, *tokenizer.encode(text).tolist()]
        for index, one in enumerate((model, other)):
            with torch.no_grad():
                log_p = torch.log_softmax(one.eval()(torch.tensor(ids)[:, None])[0][:, 0], -1)
            bits[index] -= sum(log_p[step, target].item() for step, target in enumerate(ids[1:])) / math.log(2)
    characters = sum(map(len, texts))
    assert found.characters == characters
    assert (found.before, found.after) == pytest.approx([one / characters for one in bits], rel=1e-4)
    assert found.bits_per_character > 0
