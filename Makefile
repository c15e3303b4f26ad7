# Every target does its own set-up; nothing but Python >= 3.11, git and make is asked of the machine.
#
#   make demo [SECONDS=15]   collector, live traffic and the daemon, with the page's address
#   make test [ARGS=...]     the tests; what needs a server that is not installed is skipped with the reason
#   make test-lowest         the fast tests with the lowest versions that setup.cfg allows
#   make check               ruff, mypy, the floors, dead code, the documentation
#   make bench [ARGS=...]    CPU, speed and memory beside other shippers; backfill, the idle daemon, the collector
#   make soak                the long runs
#   make wheel              dist/*.whl with the native kernel, for x86-64 and aarch64
#   make deb                 dist/logship_*.deb with everything inside, Python too
#   make image               dist/logship-*.oci.tar, that package as an image for containers; no Docker is needed
#   make release             dist/ with sdist, wheels, .deb, image, man pages and sums, each tried in an empty environment
#   make install             /opt/logship, man pages, completions, units (DESTDIR= and PREFIX= honoured)

PYTHON ?=
SECONDS ?=
ARGS ?=
DESTDIR ?=
PREFIX ?= /opt/logship
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
BIN := .venv/bin
RUNS := .venv/.made-to-run
TESTS := .venv/.made-to-test
LOWEST := .venv-lowest/.made-to-test
LOWEST_TESTS := $(addprefix tests/,config formats check preview pipeline state delivery tail/test_archives.py \
  $(addprefix collector/test_,body.py cli.py garbage.py ingest.py intake.py listening.py profiles.py reading.py stores.py writer.py) \
  $(addprefix house/test_,command_line.py logs.py manual.py status.py startup.py))
SOURCES := setup.cfg setup.py pyproject.toml packaging/make-venv $(wildcard logship/kernel/*.[ch])

.PHONY: demo test test-lowest check bench soak wheel deb image release install man clean help
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#  //p' Makefile

$(RUNS): $(SOURCES)
	@PYTHON='$(PYTHON)' packaging/make-venv collector $@

$(TESTS): $(SOURCES)
	@PYTHON='$(PYTHON)' packaging/make-venv collector,postgres,cluster,dev $(RUNS) $@

$(LOWEST): $(SOURCES) packaging/lowest.py
	@PYTHON='$(PYTHON)' VENV=.venv-lowest LOWEST=1 packaging/make-venv collector,postgres,unit $@

demo: $(RUNS)
	@$(BIN)/logship demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(TESTS)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadgroup $(ARGS)

test-lowest: $(LOWEST)
	@.venv-lowest/bin/python -m pytest --numprocesses $(JOBS) --dist loadgroup $(LOWEST_TESTS)

check: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house/test_dead_code.py tests/house/test_types.py tests/house/test_documents.py tests/house/test_sentences.py tests/house/test_manual.py tests/config/test_schema.py

bench: $(TESTS)
	@$(BIN)/python -m benchmarks $(or $(ARGS),--rounds 3)
	@$(if $(ARGS),true,$(BIN)/python -m benchmarks.backfill)
	@$(if $(ARGS),true,$(BIN)/python -m benchmarks.living)
	@$(if $(ARGS),true,$(BIN)/python benchmarks/collector.py)

soak: $(TESTS)
	@LOGSHIP_SOAK=1 HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadgroup --timeout 7200 $(ARGS)

man: $(RUNS)
	@$(BIN)/python packaging/manual.py build/share

wheel: $(RUNS)
	@packaging/make-wheel

deb:
	@packaging/make-deb

image:
	@deb=$$(packaging/make-deb) && packaging/make-image "$$deb" "$$(dirname "$$deb")/$$(basename "$$deb" .deb | tr _ -).oci.tar"

release: $(RUNS)
	@packaging/make-release

install:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/make-install

clean:
	rm -rf .venv build dist *.egg-info
