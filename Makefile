# make demo   set up, train for a minute on text that comes with Python, evaluate, sample
# make test   set up and run the tests
# make fuzz   set up and read mutated files, for five minutes of each kind (FUZZ_SECONDS=60 for one)
# make lint   set up and check style and types
# make docs   write docs/reference/ and the map in CONTRIBUTING.md
# make wheel  set up and build dist/charlm_rnn-*.whl, with compiled code for this machine's platform
# make benchmarks   print the tables of docs/notes/benchmarks.md (takes an hour)

PYTHON ?= python3
BIN = .venv/bin
RUN = runs/demo
FUZZ_SECONDS ?= 300

.PHONY: demo test fuzz lint docs wheel benchmarks clean

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

fuzz: .venv/ready
	CHARLM_FUZZ_SECONDS=$(FUZZ_SECONDS) CHARLM_FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest tests/fuzz -s

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/python docs/make_reference.py

.venv/wheel: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[wheel]"
	touch .venv/wheel

wheel: .venv/wheel  # the C sources come from charlm's kernels, which need torch, hence no isolated environment
	rm -rf dist
	CHARLM_PREBUILT=1 $(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/auditwheel show dist/*.whl

benchmarks: .venv/ready
	$(BIN)/python benchmarks/time_to_quality.py tinyshakespeare --minutes 1
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/large_text.py
	$(BIN)/python benchmarks/ngram.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
