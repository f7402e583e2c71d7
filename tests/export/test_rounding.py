"""Rounded weights."""

import torch

from charlm.export.rounding import round_rows, rounded_model


def test_each_row_has_a_scale() -> None:
    matrix = torch.tensor([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0], [1e-4, 2e-4, -3e-4]])
    for bits, error in ((8, 1 / 250), (16, 1 / 65000)):
        rounded = round_rows(matrix, bits).matrix()
        assert ((rounded - matrix).abs() <= error * matrix.abs().amax(1, keepdim=True)).all()


def test_context_vectors_stay_with_their_n_grams(dataset, network, network_with_prior) -> None:
    prior = network_with_prior(dataset, order=4).prior.ngram
    model = network(vocab_size=dataset.tokenizer.vocab_size, ngram_order=4, context_vectors=30)
    model.build_on(prior)
    with torch.no_grad():
        model.contexts.vectors[1:].normal_(generator=torch.Generator().manual_seed(2))
    rounded, _ = rounded_model(model, 16)
    ids = torch.from_numpy(dataset.tokenizer.encode("cat and the dog, a 3 of owls.").astype("int64"))[:, None]
    assert torch.allclose(model.eval()(ids)[0], rounded(ids)[0], atol=2e-3)
    assert (rounded.prior.ngram.frequent[1:] > rounded.prior.ngram.frequent[:-1]).all()
