# make demo   set up, train for a minute on text that comes with Python, evaluate, sample
# make test   set up and run the tests
# make fuzz   set up and try mutated files, texts, archives, run folders and options, for five minutes of each of 22
#             kinds: 2 hours in all (a minute of each with FUZZ_SECONDS=60, an hour of each in a day with FUZZ_SECONDS=3600)
# make lint   set up and check style and types
# make docs   write docs/reference/ and the map in CONTRIBUTING.md
# make wheel  set up and build dist/charlm_rnn-*.whl, with compiled code for this machine's platform
# make benchmarks-quick   measure again what takes minutes, for docs/benchmarks.md (an hour)
# make benchmarks   measure everything again, with three seeds (a day)
#   NANOGPT=FOLDER    for both: a checkout of karpathy/nanoGPT to measure, too
#   TEXTS="FILE..."   for the second: more texts for the time to quality, and more seeds with SEEDS="1 2 3 4"

PYTHON ?= python3
BIN = .venv/bin
RUN = runs/demo
FUZZ_SECONDS ?= 300
SEEDS ?= 1 2 3
TEXTS ?=
NAMED_TEXTS = war-and-peace names tang-poems
MEASURE = $(BIN)/python benchmarks
PEERS = $(MEASURE)/peers.py tinyshakespeare $(if $(NANOGPT),--nanogpt $(NANOGPT))
MEASURED = runs/benchmarks
FILL = $(BIN)/charlm train tinyshakespeare --splits 90/10/0 --minutes 3 --threads 1 --hidden 256 --ngram-order 8 --overwrite

.PHONY: demo test fuzz lint docs wheel benchmarks benchmarks-quick clean

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
	$(BIN)/python benchmarks/render.py --check

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

benchmarks-quick: .venv/ready
	$(PEERS) --minutes 1
	$(MEASURE)/time_to_quality.py tinyshakespeare --minutes 1 --dynamic
	$(MEASURE)/time_to_quality.py $(NAMED_TEXTS) --minutes 1
	$(MEASURE)/minute.py tinyshakespeare
	$(MEASURE)/precision.py tinyshakespeare --threads 1 --steps 120
	$(MEASURE)/kernels.py --rounds 5
	$(MEASURE)/kernels.py --memory
	$(MEASURE)/sampling.py --threads 1
	$(MEASURE)/sampling.py --threads 1 --without-avx512
	$(MEASURE)/sampling.py --threads 1 --cells all
	$(MEASURE)/ngram.py tinyshakespeare
	$(MEASURE)/ngram.py war-and-peace --orders 6 8 10
	$(MEASURE)/large_text.py war-and-peace
	$(MEASURE)/compression.py tinyshakespeare --minutes 1
	$(MEASURE)/constraints.py tinyshakespeare
	$(MEASURE)/processes.py tinyshakespeare
	$(MEASURE)/scoring.py tinyshakespeare
	$(MEASURE)/base.py tinyshakespeare names:line --minutes 1
	$(MEASURE)/render.py

benchmarks: benchmarks-quick
	$(PEERS) --minutes 1 --seeds $(SEEDS)
	$(PEERS) --minutes 5 --seeds $(SEEDS)
	$(MEASURE)/standard.py tinyshakespeare --splits 90/10/0 --minutes 1 5
	$(MEASURE)/standard.py tinyshakespeare --splits 85/5/10 --minutes 1 5
	$(MEASURE)/standard.py wikitext-2 --minutes 5 --networks prior
	$(MEASURE)/time_to_quality.py tinyshakespeare --minutes 1 5 --dynamic --seeds $(SEEDS)
	$(MEASURE)/time_to_quality.py $(NAMED_TEXTS) $(TEXTS) --minutes 1 5 --seeds $(SEEDS)
	$(MEASURE)/time_to_quality.py war-and-peace --minutes 1 5 30 --tokenizer subword
	$(MEASURE)/time_to_quality.py tinyshakespeare --minutes 30 --dynamic
	$(MEASURE)/time_to_quality.py $(NAMED_TEXTS) $(TEXTS) --minutes 30
	$(MEASURE)/validation.py tinyshakespeare $(NAMED_TEXTS) $(TEXTS)
	$(MEASURE)/words.py
	$(MEASURE)/compression.py tinyshakespeare
	$(MEASURE)/base.py $(NAMED_TEXTS) $(TEXTS) --minutes 1 --seeds $(SEEDS)
	$(MEASURE)/labels.py tinyshakespeare war-and-peace
	$(MEASURE)/networks.py tinyshakespeare war-and-peace names:line tang-poems --minutes 1 5 --seeds $(SEEDS)
	$(MEASURE)/cells.py
	$(MEASURE)/cell_search.py tinyshakespeare --tokens 300000 --threads 1
	$(MEASURE)/cell_search.py tinyshakespeare --seconds 8 --threads 1
	$(MEASURE)/clipping.py
	$(MEASURE)/variants.py tinyshakespeare
	$(FILL) --run $(MEASURED)/forward
	$(FILL) --run $(MEASURED)/backward --direction backward
	$(MEASURE)/fill.py $(MEASURED)/forward $(MEASURED)/backward
	$(MEASURE)/reviews.py $(MEASURED)/reviews
	$(MEASURE)/sentiment.py $(MEASURED)/reviews
	$(MEASURE)/render.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
