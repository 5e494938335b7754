# Two commands are all a newcomer needs: `make demo` and `make test`.
# Each target installs what it needs into .tools/ and .venv/; only Python 3.11-3.13 and make are assumed.

PYTHON ?= python3
UV_VERSION := 0.13.9
DATA ?= simulated
KILLS ?= 20
SEED ?= 1
PER_MODEL ?= 4

export UV_PYTHON_DOWNLOADS := never
# Once, while installing: some machines let no process keep what it compiled, and dbt takes seconds.
export UV_COMPILE_BYTECODE := 1
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := False
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export SCARF_ANALYTICS := false

UV := .tools/bin/uv
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help install demo up evaluate mutations new-source test test-orders test-kills test-scheduler \
  test-browser test-compat test-python check lint typecheck docs clean

help: ## What each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(UV):
	@echo "Installing uv $(UV_VERSION) into .tools/"
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml uv.lock | $(UV)
	@echo "Installing the locked environment into .venv/"
	@start=$$(date +%s); \
	$(UV) sync --quiet --locked --all-extras && \
	$(BIN)/python -m setae.scheduler && touch $@ && \
	echo "Installed in $$(( $$(date +%s) - start )) s"

install: $(READY) ## The locked environment in .venv/

demo: $(READY) ## A simulated platform through Airflow, dbt and Great Expectations to a published file
	@$(BIN)/setae demo --data $(DATA)

up: $(READY) ## Airflow's pages and scheduler on loopback, until Ctrl-C
	@$(BIN)/setae up --home var/$(DATA)

new-source: $(READY) ## NAME=x [ENTITIES="orders refunds"]: every file of a new source, with failing tests
	@$(BIN)/python -m ingestion.scaffold $(NAME) $(ENTITIES)
	@$(BIN)/ruff format --quiet ingestion/sources/$(NAME) quality/$(NAME).py dags tests/unit
	@$(BIN)/python -m docs.generate

evaluate: $(READY) ## Estimates and whole worlds against the truth, none worse than accepted; ACCEPT=1
	@$(BIN)/setae evaluate $(if $(ACCEPT),--write,--check)

test: $(READY) ## Every test that needs no browser, no scheduler and no other DuckDB
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not scheduler and not browser and not compat and not pythons and not kills"

test-orders: $(READY) ## Fifty orders of delivery, each cause of recomputation last in some, end in the same hash (half an hour)
	@SETAE_TEST_PERMUTATIONS=50 $(BIN)/pytest -n 2 tests/integration/test_pipeline.py -k any_order

test-kills: $(READY) ## KILLS=20 [SEED=1]: runs killed twice in each stage and at random moments end in the clean hash
	@SETAE_TEST_KILLS=$(KILLS) SETAE_TEST_SEED=$(SEED) $(BIN)/pytest -m kills -s

mutations: $(READY) ## PER_MODEL=4 [SEED=1]: wrong formulas, one at a time; how many the tests see (an hour)
	@$(BIN)/python -m tests.mutation --per-model $(PER_MODEL) --seed $(SEED)

test-scheduler: $(READY) ## The DAGs under a real scheduler (needs postgresql)
	@$(BIN)/pytest -m scheduler

test-browser: $(READY) ## The pages in a real browser (needs chromium)
	@$(BIN)/pytest -m browser

test-compat: $(READY) ## The published file in the clients of DuckDB 1.4, 1.5 and 2
	@$(BIN)/pytest -m compat

test-python: $(READY) ## The same world to the byte on every other Python that uv finds
	@$(BIN)/pytest -m pythons tests/compat/test_pythons.py

check: lint typecheck docs test ## All that a change must pass

lint: $(READY) ## ruff, sqlfluff, yamllint, import-linter, dbt-bouncer
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/yamllint --strict .
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --processes 0 --disable-progress-bar --nocolor dbt_project
	@$(BIN)/dbt parse --quiet --project-dir dbt_project --profiles-dir dbt_project
	@$(BIN)/dbt-bouncer run --config-file dbt-bouncer.yml

typecheck: $(READY) ## mypy --strict; the judges of mutations too, which only an hour's run would call
	@$(BIN)/mypy
	@$(BIN)/mypy --explicit-package-bases -p tests.mutation

docs: $(READY) ## The pages, built strictly; the generated reference must be fresh
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/mkdocs build --strict --quiet

clean: ## Remove what was built; keeps data homes under var/
	@rm -rf .venv .venv-* .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  dist site dbt_project/target dbt_project/logs
