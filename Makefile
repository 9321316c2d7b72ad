# make demo        sets up .venv and anonymises a photo
# make test        sets up .venv with the test extra and runs the tests
# make quickstart  trains on built-in faces for a few minutes
# make lint        checks style

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := runs/quickstart

.PHONY: demo test quickstart lint clean

demo: $(VENV)/.ready
	$(BIN)/python -m experiments.demo

quickstart: $(VENV)/.ready
	$(BIN)/python -m experiments.train --config=quickstart.py --workdir=$(RUN)
	@echo "Look at the newest contact sheet: $$(ls $(RUN)/sheets/*.png | tail -n 1)"

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) runs/quickstart runs/demo

$(VENV)/.ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --editable .
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --editable ".[test]"
	$(BIN)/python -m pip install --quiet --no-deps facenet-pytorch==2.6.0 lpips==0.1.4  # for their weights
	touch $@
