# Every target makes the environment it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
GPU_PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help install doctor sweep report test test-slow lint ui gpu-check embedded screenshots clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED) ## make .venv with greenexp and its tools

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

doctor: install ## what this machine can measure, what it estimates, how to get more
	$(BIN)/python -m greenexp.doctor

STUDY := baseline,dynamic_quantization,torch_compile,local_pruning,global_pruning

sweep: install ## run the study: every embedded model x its tactics
	$(BIN)/python -m greenexp -m model=all tactic=$(STUDY)

test: lint ## lint, types and the tests that take seconds
	$(BIN)/python -m pytest -n 2 --dist loadfile

coverage: install ## the fast tests, and the lines that they cover
	$(BIN)/python -m pytest --cov=greenexp --cov-report=term:skip-covered

# Compilers warn of themselves. Tests leave CPUs idle half the time, so two run at once; those that
# test how runs share the CPUs run alone.
SLOW := $(BIN)/python -m pytest -m 'slow and not gpu' -W default --durations=40
ALONE := tests/measuring/test_block.py tests/measuring/test_driving.py

test-slow: install ## the tests that take longer: real sweeps, compilers, a browser
	$(SLOW) -n 2 --dist loadfile $(ALONE:%=--ignore=%)
	$(SLOW) $(ALONE)

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: install ## the MLflow UI over the runs, at greenexp's saved view
	$(BIN)/python -m greenexp ui

gpu-check: ## all tests that need a CUDA device (up to 8 minutes), with GPU_PYTHON (default python3)
	@$(GPU_PYTHON) -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || \
	{ echo "gpu-check: $(GPU_PYTHON) has no torch that sees a CUDA device; run it on a machine with an NVIDIA GPU" >&2; exit 1; }
	$(GPU_PYTHON) -m pytest -m gpu --durations=5

embedded: install ## train the embedded classifiers anew
	$(BIN)/python benchmarks/train_embedded.py

screenshots: install ## take the README's pictures from the runs at hand (needs chromium)
	$(BIN)/python docs/screenshots.py --backend-store-uri sqlite:///mlruns/mlflow.db --out docs/images
	$(BIN)/python docs/screenshots.py --report multirun/report/report.html --out docs/images

report: install ## what the runs at hand say: tables, tests, break-even, advice
	$(BIN)/python -m greenexp.report

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
