# make help says what there is. Everything lives in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab test train lint unit lessons notebooks clean

help: ## Say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

lab: $(VENV)/course ## Open the course in JupyterLab (installs it first)
	$(BIN)/jupyter lab notebooks/06_training_cifar10.ipynb $(AS_ROOT)

test: lint unit lessons ## Run all checks: lint, types, unit tests, every lesson

train: $(VENV)/course ## Train a ViT on CIFAR-10 in about five minutes; results go to runs/ (ARGS="--minutes 30")
	$(BIN)/python -m course_utils train $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy course_utils

unit: $(VENV)/test ## Only the unit tests
	CIFAR10_OFFLINE=1 $(BIN)/python -m pytest tests --cov --cov-report=term --cov-fail-under=95

lessons: $(VENV)/test ## Only the lessons, each run whole by nbval
	CIFAR10_OFFLINE=1 $(BIN)/python -m pytest notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=600

notebooks: $(VENV)/test ## Run every lesson and write its outputs into it (before a commit)
	CIFAR10_OFFLINE=1 $(BIN)/python tools/run_notebooks.py

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage

$(VENV)/course: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -r requirements.txt
	$(BIN)/python -m pip install --no-deps -e .
	touch $@

$(VENV)/test: $(VENV)/course
	$(BIN)/python -m pip install -e ".[test]"
	touch $@
