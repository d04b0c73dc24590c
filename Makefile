.PHONY: help setup hooks demo run test tests programs typescript check quick format lint types layers dead peers bench chaos cluster docs audit wheel
BIN := .venv/bin
CODE := core dose dicom_node model review_ui app
PYTHON ?= python3.11
SITE ?= docs/_build
export PYTHON
# Each takes one file of tests after another.
TEST_PROCESSES ?= $(shell nproc | awk '{print ($$1 < 4 ? $$1 : 4)}')

help:    ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/  /'
setup:   ## the virtual environment with everything
	@scripts/setup
hooks: setup ## git hooks that check a commit and refuse patient data
	@$(BIN)/pre-commit install
demo: setup  ## a node, a synthetic clinic that pushes three patients, and the review page; CHECK=1 verifies the loop
	@$(BIN)/recontour demo $(if $(CHECK),--check)
run: setup   ## the node from config.yaml
	@$(BIN)/recontour run --config config.yaml
test:    ## everything this machine can run
	@$(MAKE) --no-print-directory -j2 setup typescript
	@$(MAKE) --no-print-directory -j2 check tests
tests: setup typescript
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=5
programs:
	@scripts/install-peers
typescript: programs
	@scripts/install-typescript
quick: setup ## the quick tests only
	$(BIN)/pytest -q -m "not slow and not peer and not browser"
check: setup lint types layers dead  ## what needs no running: style, types, imports, dead code
peers: setup programs ## every service before Orthanc and DCMTK, with TLS and without, as a table
	RECONTOUR_REQUIRE_PEERS=1 $(BIN)/pytest -q tests/peers/test_services.py tests/peers/test_services_asked.py
chaos: setup programs ## a hundred kills while thirty cases go round, on SQLite and on PostgreSQL
	RECONTOUR_CHAOS_KILLS=100 RECONTOUR_CHAOS_CASES=30 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests/faults/test_chaos.py
cluster: setup programs ## several machines as processes on this one, of which a receiver and a worker are lost
	OMP_NUM_THREADS=1 $(BIN)/pytest -q tests/flow/test_cluster.py
bench: setup  ## beside the peers: every benchmark (ONLY="rtstruct predict", TIMES=3), and a page in bench-results
	@$(BIN)/python -m benchmarks.page.run $(if $(ONLY),--only $(ONLY)) $(if $(TIMES),--times $(TIMES))
audit: setup ## known weaknesses of what is locked; fails too where nobody can be asked
	@scripts/audit
wheel: setup ## the package in dist, built twice and equal byte for byte
	@scripts/wheel
docs: setup   ## the documentation as a site in docs/_build; a warning is an error
	@rm -rf $(SITE) && $(BIN)/python -m sphinx -q -E -W --keep-going -c docs -b html . $(SITE)
format: setup ## rewrite into the house format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
lint:    ## ruff
	$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q .
types:   ## mypy --strict
	$(BIN)/mypy --no-error-summary $(CODE) tests benchmarks
layers:  ## who may import whom
	$(BIN)/lint-imports
dead:    ## code and dependencies nobody uses
	$(BIN)/vulture && $(BIN)/deptry . 2>/dev/null
