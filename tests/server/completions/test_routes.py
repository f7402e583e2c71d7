"""The completions API, by the real client."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

openai = pytest.importorskip("openai", reason="the openai client is not installed")


@pytest.fixture
def client(served) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{served.origin}/v1", api_key="any", max_retries=0) as client:
        yield client


def of_command(charlm: Callable[..., Any], *options: object) -> list[dict[str, Any]]:
    """What `charlm sample` writes with temperature 1."""
    shown = charlm("sample", "a", "--temperature", 1, "--jsonl", "--show-probs", *options)
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_models_are_listed_by_name(client) -> None:
    assert [model.id for model in client.models.list()] == ["a", "english", "reviews"]
    assert client.models.retrieve("a").owned_by == "charlm"
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        client.models.retrieve("..%2Fa")


def test_completions_are_the_texts_of_sample(charlm, client) -> None:
    written = of_command(charlm, "--prefix", "cat", "--length", 40, "--seed", 5, "--num", 2, "--no-prefix-in-output")
    answer = client.completions.create(model="a", prompt="cat", max_tokens=40, seed=5, n=2, logprobs=0)
    assert [choice.text for choice in answer.choices] == [one["text"] for one in written]
    for choice, one in zip(answer.choices, written, strict=True):
        assert choice.logprobs.token_logprobs == pytest.approx(one["log_probabilities"], abs=1e-5)
        assert "".join(choice.logprobs.tokens) == choice.text and choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 80


def test_a_stream_gives_the_same_text_and_ends(client) -> None:
    whole = client.completions.create(model="a", prompt="dog", max_tokens=60, seed=3, logprobs=0).choices[0]
    stream = client.completions.create(
        model="a", prompt="dog", max_tokens=60, seed=3, logprobs=0, stream=True, stream_options={"include_usage": True}
    )
    parts = list(stream)
    choices = [part.choices[0] for part in parts if part.choices]
    assert "".join(choice.text for choice in choices) == whole.text
    nats = [value for choice in choices for value in choice.logprobs.token_logprobs]
    assert nats == pytest.approx(whole.logprobs.token_logprobs)
    assert [choice.finish_reason for choice in choices][-1] == whole.finish_reason
    assert parts[-1].usage.completion_tokens == len(whole.text)


def test_stop_texts_and_biases(client, served) -> None:
    text = client.completions.create(model="a", prompt="cat", max_tokens=200, seed=1, stop="\n").choices[0]
    assert "\n" not in text.text and text.finish_reason == "stop"
    tokenizer = served.resources.models.load("a").text_model.tokenizer
    token = str(tokenizer.encode("o").item())
    always = client.completions.create(model="a", prompt="c", max_tokens=5, logit_bias={token: 100})
    assert always.choices[0].text == "ooooo"


def test_echo_and_likely_characters(client, served) -> None:
    answer = client.completions.create(model="a", prompt="owl", max_tokens=3, seed=1, echo=True, logprobs=4)
    choice = answer.choices[0]
    assert choice.text.startswith("owl") and len(choice.logprobs.token_logprobs) == 6
    stream = client.completions.create(
        model="a", prompt="owl", max_tokens=3, seed=1, echo=True, logprobs=4, stream=True
    )
    events = [event.choices[0] for event in stream]
    assert "".join(event.text for event in events) == choice.text
    streamed = [likely for event in events for likely in event.logprobs.top_logprobs or []]
    assert streamed == [pytest.approx(likely, abs=1e-4) for likely in choice.logprobs.top_logprobs]
    surprisal = served.resources.models.load("a").text_model.surprisal("owl")
    assert choice.logprobs.token_logprobs[:3] == pytest.approx([-value for value in surprisal], abs=1e-5)
    for character, nats, likely in zip(
        choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs, strict=True
    ):
        assert len(likely) == 4
        assert likely.get(character, nats) == pytest.approx(nats, abs=1e-4)


def test_a_prompt_comes_before_a_text_that_begins_like_it(client) -> None:
    prompt = "cat and the cat, a 3 of cats.\ncat and the"
    plain = client.completions.create(model="a", prompt=prompt, max_tokens=200, seed=1, temperature=0).choices[0]
    echoed = client.completions.create(
        model="a", prompt=prompt, max_tokens=200, seed=1, temperature=0, echo=True, logprobs=1
    ).choices[0]
    assert echoed.text == prompt + plain.text
    assert len(echoed.logprobs.tokens) == len(echoed.logprobs.top_logprobs) == len(echoed.text)
    nothing = client.completions.create(model="a", prompt=prompt, max_tokens=0, echo=True, logprobs=2).choices[0]
    assert nothing.text == prompt and len(nothing.logprobs.top_logprobs) == len(prompt)


def test_without_a_length_a_text_is_as_long_as_that_of_sample(charlm, client) -> None:
    (written,) = of_command(charlm, "--prefix", "cat", "--seed", 2, "--no-prefix-in-output")
    assert client.completions.create(model="a", prompt="cat", seed=2).choices[0].text == written["text"]


def test_a_model_that_was_deleted_is_not_found(client, served, trained_run) -> None:
    paths = {"a": Path("runs/a/model.safetensors"), "gone": Path("runs/gone/model.safetensors")}
    served.resources.models.paths = lambda: paths  # as if it had been deleted just now
    assert [model.id for model in client.models.list()] == ["a"]
    for call in (client.models.retrieve, lambda name: client.completions.create(model=name, prompt="cat")):
        with pytest.raises(openai.NotFoundError, match="'gone' was deleted"):
            call("gone")
    paths.clear()
    with pytest.raises(openai.NotFoundError, match="train one on the Train page"):
        client.completions.create(model="", prompt="cat")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1),
        ("max_tokens", 10**9),
        ("n", 99),
        ("presence_penalty", 1),
        ("logprobs", 50),
        ("best_of", 3),
        ("stream_options", 3),
    ],
)
def test_an_error_names_its_field(client, field: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="a", prompt="cat", **{field: value})
    assert caught.value.body["param"] == field and caught.value.body["type"] == "invalid_request_error"


def test_unknown_fields_and_characters_are_refused(client) -> None:
    with pytest.raises(openai.BadRequestError, match="there is no field tools"):
        client.completions.create(model="a", prompt="cat", extra_body={"tools": []})
    with pytest.raises(openai.BadRequestError, match="not in the model's vocabulary"):
        client.completions.create(model="a", prompt="Ж")
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="/etc/passwd", prompt="cat")


@pytest.mark.parametrize("field", ["temperature", "max_tokens", "seed", "n", "logprobs"])
@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e999", "-Infinity"])
def test_a_number_beyond_every_float_is_out_of_range(served, field: str, value: str) -> None:
    body = f'{{"prompt": "a", "{field}": {value}}}'.encode()
    status, answer = served.ask("POST", "/v1/completions", body, headers={"Content-Type": "application/json"})
    assert status == 400 and json.loads(answer)["error"]["param"] == field


def test_labels_are_an_extension(charlm, stars) -> None:
    written = charlm("sample", "stars", "--temperature", 1, "--seed", 4, "--length", 40, "--label", "stars=5").stdout
    with openai.OpenAI(base_url=f"{stars.origin}/v1", api_key="any", max_retries=0) as client:

        def create(label: object) -> Any:
            return client.completions.create(
                model="stars", prompt="", max_tokens=40, seed=4, logprobs=2, extra_body={"label": label}
            ).choices[0]

        one, other = create("stars=5"), create(["stars=1", "author=bob"])
        assert one.text == written.removesuffix("\n")
        assert one.logprobs.token_logprobs[:5] != other.logprobs.token_logprobs[:5]
        for choice in (one, other):  # the likely characters are those of the same labels
            for character, nats, likely in zip(
                choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs or [], strict=True
            ):
                assert likely.get(character, nats) == pytest.approx(nats, abs=1e-4)
        for label in ("stars=9", "mood=good", 3):
            with pytest.raises(openai.BadRequestError) as caught:
                create(label)
            assert caught.value.body["param"] == "label"


def test_the_prompt_of_a_model_of_pairs_is_the_source(charlm, pairs) -> None:
    options = ("--source", "abf", "--source", "bae", "--temperature", 1, "--seed", 4, "--length", 12, "--json")
    written = [one["text"] for one in json.loads(charlm("sample", "pairs", *options).stdout)]
    with openai.OpenAI(base_url=f"{pairs.origin}/v1", api_key="any", max_retries=0) as client:

        def create(prompt: object, **options: Any) -> Any:
            return client.completions.create(model="pairs", prompt=prompt, max_tokens=12, seed=4, logprobs=2, **options)

        answer = create(["abf", "bae"])
        choices = answer.choices
        assert answer.usage.prompt_tokens == len("abf" + "bae")
        assert [choice.text for choice in choices] == written
        assert choices[0].logprobs.top_logprobs is None and len(choices[0].logprobs.token_logprobs) == len(written[0])
        for prompt, echo, said in ((["abf", ""], False, "the prompt is empty"), ("abf", True, "echo needs a model of")):
            with pytest.raises(openai.BadRequestError, match=said) as caught:
                create(prompt, echo=echo)
            assert caught.value.body["param"] == ("echo" if echo else "prompt")
