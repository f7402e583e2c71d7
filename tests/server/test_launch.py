"""A machine that sleeps in the middle of a training: server and training are stopped and continue where they were."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import new_page

RUN = Path("runs/cats")


@contextlib.contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`charlm serve` in a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "charlm", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)


def _steps() -> list[int]:
    """The steps in the figures of the run."""
    records = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    return [record["step"] for record in records if record["kind"] == "step"]


def _wait_for_steps(page: Any, least: int) -> None:
    """Wait until the page shows that many steps."""
    shown = page.locator("#figures div", has_text=re.compile("^steps")).locator("dd")
    end = time.monotonic() + 120
    while not shown.count() or int(shown.text_content().replace(",", "")) < least:
        assert time.monotonic() < end, page.locator("main").inner_text()
        page.wait_for_timeout(50)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system stops no process")
def test_a_training_continues_after_the_machine_has_slept(browser: Any, write, sentences: str) -> None:
    text = write(sentences, "cats.txt")
    with _server() as (server, address), new_page(browser, address.partition("#")[0]) as (page, problems):
        page.goto(address.replace("/#", "/train#"))
        page.wait_for_selector("main:not([aria-busy])")
        page.click("summary")
        page.set_input_files("#file", text)
        page.click("#upload")
        page.wait_for_selector("#status:has-text('Added')")
        page.fill("#minutes", "30")
        page.click("#start")
        _wait_for_steps(page, 10)
        processes = [server.pid, int((RUN / ".lock").read_text())]
        assert processes[0] != processes[1]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        time.sleep(0.1)  # until both have stopped
        asleep = _steps()
        time.sleep(0.5)
        assert _steps() == asleep
        for process in processes:
            os.kill(process, signal.SIGCONT)
        _wait_for_steps(page, asleep[-1] + 10)  # the page of before
        page.reload()
        page.wait_for_selector("main:not([aria-busy])")
        _wait_for_steps(page, asleep[-1] + 20)
        page.click("#stop")
        page.wait_for_selector("#figures dd:text-is('stopped')")
        steps = _steps()
        assert steps[: len(asleep)] == asleep and steps[:-1] == [10 * (n + 1) for n in range(len(steps) - 1)]
        _wait_for_steps(page, steps[-1])
        assert problems == []
    assert {"model.safetensors", "resume.safetensors"} <= {path.name for path in RUN.iterdir()}
