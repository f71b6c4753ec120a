# Everything sets up what it needs; only Python >= 3.11, a JDK >= 17 with Maven, and npm must be there.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: demo up test bench chaos lint format setup clean

setup: $(VENV)/.synced

# uv in a small environment of its own, so nothing is installed outside this folder.
.bootstrap/bin/uv:
	$(PYTHON) -m venv .bootstrap
	.bootstrap/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.synced: pyproject.toml uv.lock .bootstrap/bin/uv
	.bootstrap/bin/uv sync --quiet --frozen --python $(PYTHON) --all-extras
	@touch $@

demo: setup
	$(BIN)/wattoken demo

up: setup
	$(BIN)/wattoken up

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .bootstrap .cache .mypy_cache .pytest_cache .ruff_cache .wattoken out
