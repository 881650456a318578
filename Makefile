# Two commands do everything: `make run` and `make test`. Both honour PORT and DATABASE_URL.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8083
export PORT

PY := $(VENV)/bin/python

.PHONY: run test bench clean

run: export ENVIRONMENT := development
run: $(VENV)/installed
	@$(PY) manage.py dev

test: $(VENV)/installed
	@$(PY) -m pytest $(ARGS)

bench: $(VENV)/installed
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(PY) -m bench

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "creating $(VENV) and installing requirements.txt (a minute, once) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) var
