"""A training in a process of its own."""

import io
import time
from pathlib import Path


def wait_for(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_training_is_started_stopped_and_continued(served, sentences: str) -> None:
    served.ask("POST", "/api/uploads?title=cats", sentences.encode())
    (upload,) = served.json("GET", "/api/corpora")["uploads"]
    assert served.ask("POST", "/api/runs", {"upload": upload, "minutes": 9}, token=False)[0] == 403
    assert served.json("POST", "/api/runs", {"upload": upload, "minutes": 9})["run"] == "cats"
    assert served.ask("POST", "/api/runs", {"upload": upload, "run": "second"})[0] == 409
    assert served.ask("POST", "/api/runs/a/stop", {})[0] == 409
    wait_for(lambda: Path("runs/cats/metrics.jsonl").exists() and Path("runs/cats/metrics.jsonl").stat().st_size > 0)
    shown = served.json("GET", "/api/runs/cats")
    assert shown["training"] and shown["own"]["selected"] and "tokens will be seen" in shown["own"]["reason"]
    served.json("POST", "/api/runs/cats/stop", {})
    wait_for(lambda: not served.json("GET", "/api/runs/cats")["own"]["running"])
    assert Path("runs/cats/resume.safetensors").exists()
    served.json("POST", "/api/runs/cats/resume", {"minutes": 9})
    served.site.trainings.close()  # as Ctrl-C does
    assert not served.json("GET", "/api/runs/cats")["training"]
    assert Path("runs/cats/resume.safetensors").exists()


def test_messages_may_arrive_while_they_are_looked_at(served) -> None:
    from charlm.server.training.child import Training

    class Ended:
        stderr = io.StringIO()

        def poll(self) -> int:
            return 1

    training = Training(run="a", process=Ended())

    class Message(str):
        def startswith(self, *arguments) -> bool:
            training.lines.append("another")
            return super().startswith(*arguments)

    training.lines += ["error: the disk is full", Message("one"), Message("two")]
    shown = training.to_json()
    assert shown["problem"] == "the disk is full" and shown["message"] == "two"
