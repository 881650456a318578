# `make run` and `make test` do everything; `make image` makes local machines possible.
# All honor PORT, DATABASE_URL, PYTHON and VENV.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8083
export PORT

PY  := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
UV  := uv==0.13.9

.PHONY: run image test bench clean

run: export ENVIRONMENT := development
run: $(VENV)/installed-run
	@$(PY) manage.py dev

# The machines of the provider `local`, and those behind emulated servers: containers of Debian 12 with systemd.
image: export ENVIRONMENT := development
image: $(VENV)/installed-run
	@$(PY) manage.py build_local_image $(ARGS)

test: $(VENV)/installed
	@$(PY) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/installed
	@$(call install,requirements-dev.txt)
	@$(PY) -m bench

# $(call install,FILE): installs with uv, or with pip where uv cannot be had or does not reach the index.
install = { $(PIP) install --quiet $(UV) && $(PY) -m uv pip install --python $(PY) -r $(1); } || \
	{ echo "installing with pip instead, which takes a minute …"; $(PIP) install -r $(1); }

$(VENV)/installed-run: requirements-run.txt | $(PY)
	@echo "installing $< into $(VENV) …"
	@$(call install,$<)
	@touch $@

$(VENV)/installed: requirements.txt requirements-run.txt | $(PY)
	@echo "installing $< into $(VENV) …"
	@$(call install,$<)
	@touch $(VENV)/installed-run $@

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) var
