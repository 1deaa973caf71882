# make help says what there is. Everything lives in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Several processes at a time: each gets one thread, or they would wait for each other.
OFFLINE := CIFAR10_OFFLINE=1 OMP_NUM_THREADS=1
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab test train lint unit lessons notebooks images publish colab browser latency clean

help: ## Say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

lab: $(VENV)/course ## Open the course in JupyterLab (installs it first)
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb $(AS_ROOT)

test: lint unit lessons colab browser ## Run all checks: lint, types, unit tests, every lesson

train: $(VENV)/course ## Train a ViT on CIFAR-10 in about five minutes; results go to runs/ (ARGS="--recipe half-hour")
	$(BIN)/python -m course_utils train $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy course_utils
	$(BIN)/codespell
	$(BIN)/python tools/publish.py --check

unit: $(VENV)/test ## Only the unit tests
	$(OFFLINE) $(BIN)/python -m pytest tests -n auto --ignore=tests/colab --ignore=tests/browser --cov --cov-report=term --cov-fail-under=95

lessons: $(VENV)/test ## Only the lessons, each run whole by nbval
	$(OFFLINE) $(BIN)/python -m pytest notebooks -n auto --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=600

colab: $(VENV)/test ## Only the lessons as Colab opens them: course not installed, old IPython and ipywidgets
	$(OFFLINE) $(BIN)/python -m pytest tests/colab -n 2 -v

browser: $(VENV)/test ## Only the lessons in JupyterLab, in a real browser (skipped without chromium)
	$(BIN)/python -m pytest tests/browser -n 2 --dist loadfile -v -rs

latency: $(VENV)/test ## Measure how fast the explorers answer (needs chromium)
	$(BIN)/python tests/browser/latency.py

notebooks: $(VENV)/test ## Run every lesson and write its outputs into it (before a commit)
	CIFAR10_OFFLINE=1 $(BIN)/python tools/run_notebooks.py

images: $(VENV)/test ## Draw the diagrams in images/ anew
	$(BIN)/python tools/draw_images.py

publish: $(VENV)/test ## Write address and table of lessons everywhere (REPO=owner/name, REF=branch or tag)
	$(BIN)/python tools/publish.py $(if $(REPO),--repo $(REPO)) $(if $(REF),--ref $(REF))

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
