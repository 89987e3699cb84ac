# Every target sets up what it needs: a virtual environment in .venv, installed through constraints.txt.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check fmt docs bench clean

help:  ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -c 'from pix2pix_model.paint.browser_runtime import find_runtime; find_runtime(None)' 2>/dev/null \
		|| echo "no onnxruntime-web could be fetched: the tests of the static painting page will be skipped"
	touch $@

demo: $(READY)  ## the whole way on real photos, offline: photos, pairs, training, pictures (in demo/)
	mkdir -p demo
	cd demo && ../$(BIN)/p2p-data sample photos
	cd demo && ../$(BIN)/p2p-data edges photos/chelsea --size 64 --group folder --val 0.5 --test 0
	cd demo && ../$(BIN)/p2p-train ../recipes/quickstart.toml
	cd demo && ../$(BIN)/p2p-model translate "$$(ls -d runs/*-quickstart | tail -n 1)" chelsea-edges --overwrite
	@echo "the pairs: demo/chelsea-edges/preview.png, the pictures: demo/chelsea-edges-translated/sheet.png"

test: check  ## ruff, mypy, pytest with warnings as errors, and the built wheel from another folder
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadscope
	$(BIN)/python tests/smoke_wheel.py

check: $(READY)  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fmt: $(READY)  ## put the code in its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY)  ## the pages as a site, in site/, which needs no network and no server
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

bench: $(READY)  ## the studies that print tables
	$(BIN)/python benchmarks/train_step.py --rounds 5
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/loader.py --rounds 3 --epochs 3
	$(BIN)/python benchmarks/makers.py --num 12 --num-large 2
	$(BIN)/python benchmarks/start.py --rounds 3
	$(BIN)/python benchmarks/published_edges.py
	$(BIN)/python benchmarks/bsds.py

clean:  ## remove what make made
	rm -rf $(VENV) demo dist site
