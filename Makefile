# make demo   set up, train for a minute on text that comes with Python, evaluate, sample
# make test   set up and run the tests
# make lint   set up and check style and types
# make docs   write docs/reference/ and the map in CONTRIBUTING.md
# make benchmarks   print the tables of docs/notes/benchmarks.md (takes an hour)

PYTHON ?= python3
BIN = .venv/bin
RUN = runs/demo

.PHONY: demo test lint docs benchmarks clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch .venv/ready

demo: .venv/ready
	$(BIN)/charlm train python-docs --minutes 1 --run $(RUN) --overwrite
	$(BIN)/charlm eval $(RUN)
	$(BIN)/charlm sample $(RUN) --prefix "The " --temperature 0.7

test: .venv/ready  # a process for each core, which keep out of each other's way
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/python docs/make_reference.py

benchmarks: .venv/ready
	$(BIN)/python benchmarks/time_to_quality.py tinyshakespeare --minutes 1
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/large_text.py
	$(BIN)/python benchmarks/ngram.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
