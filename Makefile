# Everything one does with hoopweb. `make` alone lists it.
PYTHON := .venv/bin/python
# More for pytest, for instance: make test ARGS="tests/house -x"
ARGS ?=
CORPUS ?=
# `make bench PART=masking` measures masking instead, beside other engines (downloads them once).
PART ?=
# Tests at once, each with a database server of its own; whole products are started one at a time. Four parts in ten of
# a run are waits (for holds that end, for killed parts that come back): three keep two cores at work.
TESTS_AT_ONCE ?= 3
PYTEST = $(PYTHON) -m pytest -n $(TESTS_AT_ONCE) --no-loadscope-reorder

.PHONY: help run demo test test-all check lint types contracts bench quality figures clean lock
.DEFAULT_GOAL := help
# Containers often say that Python should keep no bytecode: each of a run's hundred processes would compile Django again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || \
	 sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/  make \1   \2/p' Makefile

run: ## start hoopweb with a demo tenant, play the demo, stay up until Ctrl-C
	@./bootstrap.sh demo
	@exec $(PYTHON) -m hoopweb.stack up --story --with-parent

demo: ## the same, then stop; the exit status says whether all went as told
	@./bootstrap.sh demo
	@exec $(PYTHON) -m hoopweb.stack demo --with-parent

test: ## all tests, with everything they need (free ports, own state)
	@./bootstrap.sh dev
	@./bootstrap.sh packages
	@$(PYTEST) $(ARGS)

test-all: ## and the long ones: property, crash and soak runs
	@./bootstrap.sh dev
	@./bootstrap.sh packages
	@./bootstrap.sh clients
	@$(PYTEST) -m "long or not long" $(ARGS)

check: lint types contracts test ## lint, types, import contracts, tests: what must be green

lint:
	@./bootstrap.sh dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@./bootstrap.sh dev
	@.venv/bin/mypy

contracts:
	@./bootstrap.sh dev
	@.venv/bin/lint-imports

# Other engines live apart: none of what they bring is the product's.
BENCH_PYTHON = .tools/bench-venv/bin/python
$(BENCH_PYTHON): requirements-bench.txt
	@./bootstrap.sh dev
	@.tools/uv-bootstrap/bin/uv venv --quiet --clear --python $(PYTHON) .tools/bench-venv
	@VIRTUAL_ENV=.tools/bench-venv .tools/uv-bootstrap/bin/uv pip install --quiet --requirements requirements-bench.txt

bench: $(BENCH_PYTHON) ## measure what hoopweb adds to a call (ARGS="--aws moto" for the stand-in; PART=masking)
	@./bootstrap.sh dev
	@$(PYTHON) -m bench$(if $(PART),.$(PART)) $(ARGS)

quality: ## measure what masking finds and misses (CORPUS=folder of your own)
	@./bootstrap.sh dev
	@$(PYTHON) -m bench.quality $(CORPUS)

figures: ## figures of the code: sizes, comments, tests
	@./bootstrap.sh dev
	@$(PYTHON) -m tests.house.figures

clean: ## remove the state in var/ and all caches (keeps .venv)
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m hoopweb.stack clean; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

lock: ## resolve requirements*.in to exact pins again
	@./bootstrap.sh dev
	@for set in requirements requirements-names requirements-demo requirements-dev; do \
	    .tools/uv-bootstrap/bin/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
	        --no-emit-index-url --no-emit-find-links $$set.in -o $$set.txt || exit 1; done
