# Everything sets up what it needs; only Python >= 3.11 must be there. What else is used where the PATH
# has it, and which targets need more: README.md, "Try it".
PYTHON ?= python3
# uv itself, with the checksums of its wheels.
UV_LOCK := services/local_stack/wheel_locks/uv.txt
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
# What has no wheel for this machine would be built, with tools that no lock has: it is refused.
export UV_REQUIRE_BUILD_HASHES := true
export UV_PROJECT_ENVIRONMENT := $(VENV)
# Trust what this machine trusts, a company's own authority for instance.
export UV_SYSTEM_CERTS := true
# Containers often forbid Python to keep what it compiled. Tests, the demo and chaos start hundreds of
# processes, and without it each compiles a thousand modules first: twice the CPU of everything here.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: clusters upgrades release price-lists audit site helm otel-collector collector-outage planted schedules mutants chaos fuzz demo up check brief-tests test nightly test-versions faults bench bench-check bench-peers gateway-clients clickhouse-versions python-versions lint format docs dashboards locks setup screenshots clean

setup: $(VENV)/.synced

# uv in a small environment of its own, so nothing is installed outside this folder.
.bootstrap/bin/uv: $(UV_LOCK)
	$(PYTHON) -m venv .bootstrap
	.bootstrap/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes --requirement $(UV_LOCK)
	@touch $@

$(VENV)/.synced: pyproject.toml uv.lock .bootstrap/bin/uv
	.bootstrap/bin/uv sync --quiet --frozen --python $(PYTHON) --all-extras
	@touch $@

# What Wattoken itself runs on: for who tries it, without what tests, bills as PDF and the site need. What
# `make setup` added before stays. Not quiet: whoever waits for it sees what is fetched.
$(VENV)/.runs: pyproject.toml uv.lock .bootstrap/bin/uv
	.bootstrap/bin/uv sync --frozen --inexact --python $(PYTHON) --extra demo
	@touch $@

# `make demo --keep` works as written: make takes it for its own -k, which is put to use here.
demo: $(VENV)/.runs
	$(BIN)/wattoken demo $(if $(findstring k,$(firstword -$(MAKEFLAGS))),--keep)

up: $(VENV)/.runs
	$(BIN)/wattoken up

# What needs no other process, a quarter of the examples drawn: before each commit. Lint waits for nothing
# and nothing for it, so it runs beside the tests.
check: setup
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint brief-tests

brief-tests: setup
	TESTS_BRIEF=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not nightly" tests/unit tests/property tests/contract tests/docs

# Each promise once, on the real parts, with a quarter of the examples drawn.
# Two at a time, each with a Kafka, ClickHouse and Prometheus of its own. A third of that is waiting, which
# a third worker fills with what needs none of them (tests/workers.py); whatever has set a limit goes before it.
PYTEST := $(BIN)/python -m pytest -n 3 --one-beside --dist loadfile --no-loadscope-reorder
WHAT_TESTS_NEED := setup price-lists gateway-clients otel-collector helm clickhouse-versions python-versions

test: $(WHAT_TESTS_NEED)
	TESTS_BRIEF=1 $(PYTEST) -m "not nightly"

# All tests with all examples: what `make test` leaves out, too. Each night and for each release (.ci/nightly).
nightly: $(WHAT_TESTS_NEED)
	$(PYTEST)

# Of these, the oracles on every other ClickHouse and the unit tests on the newest Python.
test-versions: setup clickhouse-versions python-versions
	$(BIN)/python -m pytest -n 2 -m nightly tests/integration/test_versions_newer.py \
	  tests/integration/test_versions_oldest.py tests/integration/test_versions_python.py

# The package whose prices `wattoken tariffs sync` reads beside those of genai-prices, without what it needs.
price-lists: $(VENV)/.litellm

$(VENV)/.litellm: services/local_stack/wheel_locks/litellm.txt $(VENV)/.synced
	.bootstrap/bin/uv pip install --quiet --python $(BIN)/python --no-deps --only-binary :all: --require-hashes --requirement $<
	@touch $@

# LiteLLM and the other real clients, which tests/integration/test_real_clients.py runs.
gateway-clients: tests/gateway-clients/.venv/.synced

tests/gateway-clients/.venv/.synced: tests/gateway-clients/pyproject.toml tests/gateway-clients/uv.lock .bootstrap/bin/uv
	.bootstrap/bin/uv sync --quiet --frozen --python $(PYTHON) --project tests/gateway-clients
	@touch $@

# ClickHouse of other versions than the local stack's, which tests/integration/test_versions_*.py runs.
CLICKHOUSE_VERSIONS := $(shell sed -n 's/^clickhouse-\([0-9-]*\) = .*/\1/p' tests/clickhouse-versions/pyproject.toml)

clickhouse-versions: $(CLICKHOUSE_VERSIONS:%=tests/clickhouse-versions/.venv-%/.synced)

tests/clickhouse-versions/.venv-%/.synced: tests/clickhouse-versions/pyproject.toml tests/clickhouse-versions/uv.lock .bootstrap/bin/uv
	UV_PROJECT_ENVIRONMENT=.venv-$* .bootstrap/bin/uv sync --quiet --frozen --python $(PYTHON) --project tests/clickhouse-versions --only-group clickhouse-$*
	@touch $@

# The newest supported Python, if this machine has it, which the same tests run the services on.
python-versions: .cache/python-versions

.cache/python-versions: $(VENV)/.synced tests/versions/python.py services/platform/supported.py
	$(BIN)/python -m tests.versions.python
	@mkdir -p $(@D) && touch $@

# Of the tests, those that kill, pause and cut off real processes, one after the other.
faults: setup
	$(BIN)/python -m pytest -m faults tests/integration

# Faults of every kind on the real processes, several at once, judged by an oracle of its own
# (docs/reliability.md). MINUTES=30 SEED=1; CHAOS_ARGS="--faults network" passes options on.
chaos: setup
	$(BIN)/wattoken chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),30) $(CHAOS_ARGS)

# Structured requests over all HTTP paths of ingest, in this process: no 5xx, every event accounted for.
# REQUESTS=20000 SEED=1
fuzz: setup
	$(BIN)/python -m tests.fuzz.run --seed $(or $(SEED),1) --requests $(or $(REQUESTS),20000)

# SCALING=1 measures growth instead of peers; BENCH_ARGS="--events 200000" passes options on.
bench: setup bench-peers
	$(BIN)/python -m bench $(if $(SCALING),scaling,run) $(BENCH_ARGS)

# This tree beside an older commit, in turns: fails where it is slower by more than LOSS percent.
# AGAINST=HEAD~1 LOSS=5
bench-check: setup
	$(BIN)/python -m bench check --against $(or $(AGAINST),HEAD~1) --loss-percent $(or $(LOSS),5) $(BENCH_ARGS)

bench-peers: bench/quix-streams/.venv/.synced

bench/quix-streams/.venv/.synced: bench/quix-streams/pyproject.toml bench/quix-streams/uv.lock .bootstrap/bin/uv
	.bootstrap/bin/uv sync --quiet --frozen --python $(PYTHON) --project bench/quix-streams
	@touch $@

# Bugs planted one at a time, which the unit tests must see; `make test` does it too.
planted: setup
	$(BIN)/python -m pytest tests/planted

# Random schedules of the real meter, several workers at once; `make test` runs some (docs/reliability.md).
# SCHEDULES=2000 SEED=0; SCHEDULES_ARGS='--planted' hunts the planted bugs, '--planted "hole 4"' one.
schedules: setup
	$(BIN)/python -m tests.property.concurrent.hunt --schedules $(or $(SCHEDULES),2000) --seed $(or $(SEED),0) $(SCHEDULES_ARGS)

# A random sample of small changes of the meter, of which tests without processes must see 95 %.
# MUTANTS_ARGS="--sample 0" takes all of them, "--seed 7" the same sample again.
mutants: setup
	$(BIN)/python -m tests.mutation.run $(MUTANTS_ARGS)

# An upgrade over each migration, from the tree of before it, with old and new workers side by side under load;
# docs/upgrading.md says how, docs/upgrades.json what came of it. UPGRADES_ARGS="--only 0015,0024" takes some.
upgrades: setup
	$(BIN)/python -m tests.upgrades.run $(UPGRADES_ARGS)

# Three brokers, two Kafka clusters, a replica that is behind, two shards: each under load, with parts of it killed;
# docs/clusters.md says how, docs/clusters.json what came of it. CLUSTERS_ARGS="--only brokers,shards" takes some.
clusters: setup
	$(BIN)/python -m tests.clusters.run $(CLUSTERS_ARGS)

# A release, here and nowhere else: changelog cut, version set, commit, annotated tag, bills of materials in
# out/release. VERSION=0.2.0; RELEASE_ARGS=--dry-run looks whether it can be done, --bills-only writes the bills.
release: setup
	$(BIN)/python -m tools.release $(VERSION) $(RELEASE_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.supply_chain.secret_scan
	$(BIN)/python -m tools.supply_chain.licences --check
	$(BIN)/python -m tools.supply_chain.audit
	$(BUILD_SITE)

# docs/ as a site, in out/site; what leads nowhere, or is in no menu, is an error (mkdocs.yml).
BUILD_SITE = NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

site: setup
	$(BUILD_SITE)
	@echo "out/site/index.html is there; \`$(BIN)/python -m http.server --directory out/site\` serves it, with its search"

# Known vulnerabilities of everything that a lock has, by OSV's index (WATTOKEN_OSV_URL names a mirror).
# Without one it says so; ADVISORIES=FOLDER takes a checkout of github.com/pypa/advisory-database.
audit: setup
	$(BIN)/python -m tools.supply_chain.audit $(if $(ADVISORIES),--advisories $(ADVISORIES))

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pages that are generated from the code and the locks; tests and lint hold that they are up to date.
docs: setup
	$(BIN)/python -m services.settings_reference
	$(BIN)/python -m services.metrics_reference
	$(BIN)/python -m tools.charts.settings
	$(BIN)/python -m tools.site.event
	$(BIN)/python -m tools.supply_chain.licences

# Grafana's dashboards (deploy/grafana: as provisioned, and as imported), likewise.
dashboards: setup
	$(BIN)/python -m tools.dashboards.generate

# Checksums of what is fetched and is in no uv.lock: from the pom.xml files (with Maven), wheel_locks/*.in
# in services/local_stack, and tests/otel_collector/builder.yaml and tests/helm/*/go.mod (with Go). Versions that
# are locked stay while they fit; LOCK_ARGS=--upgrade takes the newest wheels. `make docs` then lists their licences.
locks: setup
	$(BIN)/python -m tools.supply_chain.lock_jars
	$(BIN)/python -m tests.versions.kafka
	$(BIN)/python -m bench.java_peers
	$(BIN)/python -m tests.helm.strimzi_schemas
	$(if $(shell command -v go),$(BIN)/python -m tests.otel_collector.build --lock,@echo "no Go: the lock of the OpenTelemetry Collector stays")
	$(if $(shell command -v go),$(BIN)/python -m tests.helm.programs --lock,@echo "no Go: the locks of Helm and its checker stay")
	for wheels in java jsonnet maven npm uv; do .bootstrap/bin/uv pip compile --quiet --universal --python-version 3.11 \
	  --only-binary :all: --generate-hashes --no-annotate --custom-compile-command "make locks" $(LOCK_ARGS) \
	  --output-file services/local_stack/wheel_locks/$$wheels.txt services/local_stack/wheel_locks/$$wheels.in || exit; done
	.bootstrap/bin/uv pip compile --quiet --universal --python-version 3.11 --no-deps \
	  --only-binary :all: --generate-hashes --no-annotate --custom-compile-command "make locks" $(LOCK_ARGS) \
	  --output-file services/local_stack/wheel_locks/litellm.txt services/local_stack/wheel_locks/litellm.in

# The pictures of the control room in docs/img, from synthetic history at a large platform's scale.
screenshots: setup
	$(BIN)/python -m tools.pictures.screenshots

# The OpenTelemetry Collector that tests/integration/test_otel_collector.py runs, built once with Go if
# this machine has it. `make collector-outage`: ingest is away for six minutes, not for seconds.
otel-collector: setup
	$(BIN)/python -m tests.otel_collector.build

collector-outage: otel-collector
	OUTAGE_SECONDS=$(or $(SECONDS),360) $(BIN)/python -m pytest -s tests/integration/test_otel_collector.py -k away

# Helm, our checker and the schemas that tests/helm renders and checks the chart with: built once, with Go.
helm: setup
	$(BIN)/python -m tests.helm.programs

clean:
	rm -rf $(VENV) bench/quix-streams/.venv tests/gateway-clients/.venv tests/clickhouse-versions/.venv-* .venv-* .bootstrap .cache .mypy_cache .pytest_cache .ruff_cache .wattoken out
