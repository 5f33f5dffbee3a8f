# `make demo` and `make test` do all the set-up they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build
PHOTO  ?=
PORT   ?=
NO_DEPS := torchvision torchsde trampoline

# Shared libraries that wheels expect (libegl1, libgl1: skia-python), the browser of the page
# tests, the servers that the gateway's tests start for themselves.
# Fonts of the printed book: Andika for stories, DejaVu for characters that it lacks.
SYSTEM_PACKAGES := python3-venv libegl1 libgl1 libexpat1 fonts-sil-andika fonts-dejavu-core
TEST_PACKAGES   := chromium chromium-driver redis-server postgresql curl jq

# Images: what builds them, what they are called, and the hashed locks that they are made of.
ENGINE  ?= docker
IMAGES  ?= foxetales
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
LABELS   = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LOCK     = $(BIN)/uv --no-config pip compile --constraint constraints.txt --generate-hashes --quiet \
	--python-version 3.11.14 --python-platform x86_64-manylinux_2_36 --no-annotate \
	--custom-compile-command 'make locks'

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint types unit bench test-nodes docs-reference constraints locks licences sbom wheel images clean system system-test

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(BUILD)/.installed/python $(BUILD)/.installed/parts $(BUILD)/.installed/books  ## everything that the other targets need

demo: setup  ## one photo in; three personalised pages, a payment, and a printed book out (PHOTO=path takes another photo)
	$(BIN)/python -m sandbox demo $(if $(PHOTO),--photo "$(PHOTO)")

up: setup  ## start the whole system and keep it running (PORT=number for another than 8000)
	$(BIN)/python -m sandbox up $(if $(PORT),--port $(PORT))

test: setup system-test lint types unit  ## lint, type check and all tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest

bench: setup  ## the benchmarks: tables on the screen, JSON in out/benchmarks/
	$(BIN)/python -m benchmarks.status_polls
	$(BIN)/python -m benchmarks.skin_shift
	$(BIN)/python -m benchmarks.identity_cache
	$(BIN)/python -m benchmarks.identity_once
	$(BIN)/python -m benchmarks.pdf
	$(BIN)/python -m benchmarks.webhooks

test-nodes: setup  ## tests of nodes and workflows on the ComfyUI in COMFYUI_PATH (a folder, default: the embedded one)
	$(BIN)/python -m pytest tests/comfy_nodes tests/tiny_weights tests/workflows \
		tests/handler/test_engine.py tests/handler/test_engine_faults.py \
		tests/handler/test_identity_in_comfyui.py tests/handler/workflows

docs-reference: setup  ## rewrite the generated tables of the documentation
	$(BIN)/python -m sandbox.doc_blocks docs/configuration.md docs/costs.md

constraints: setup  ## rewrite constraints.txt from what is installed
	{ sed '/^# Everything else/q' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable \
		| grep -viE '^($(subst $() ,|,$(NO_DEPS)))==' | sed 's/+cpu$$//'; } > $(BUILD)/constraints.txt
	mv $(BUILD)/constraints.txt constraints.txt

locks: setup  ## rewrite the images' hashed locks from constraints.txt
	$(LOCK) pyproject.toml --extra gateway --output-file requirements/gateway.txt
	$(LOCK) pyproject.toml --extra worker requirements/comfyui.in --output-file requirements/worker.txt
	$(LOCK) requirements/art.in --output-file requirements/art.txt
	$(LOCK) requirements/build.in --output-file requirements/build.txt

licences: setup  ## the licence of each package in the images; fails if one isn't settled
	$(BIN)/python -m supply licences

sbom: setup  ## the images' bills of materials, into out/
	$(BIN)/python -m supply sbom

wheel: setup  ## the wheel, the same bytes each time, into out/
	$(BIN)/python -m supply wheel

images:  ## build both images (IMAGES=name before the slash, ENGINE=echo only prints)
	@$(ENGINE) buildx version > /dev/null 2>&1 || { echo "images need an engine with buildx: Docker's package \
	docker-buildx or docker-buildx-plugin; ENGINE=echo only prints the commands" >&2; exit 1; }
	$(ENGINE) buildx build --file Dockerfile.gateway --tag $(IMAGES)/gateway:$(VERSION) $(LABELS) .
	$(ENGINE) buildx build --file Dockerfile.gpu --tag $(IMAGES)/worker:$(VERSION) $(LABELS) .

clean:  ## remove everything that set-up and runs have made
	rm -rf $(VENV) $(BUILD) out .local

system:
	@sh sandbox/system_packages.sh $(SYSTEM_PACKAGES)

system-test:
	@sh sandbox/system_packages.sh $(TEST_PACKAGES)

$(BUILD)/.installed/python: pyproject.toml constraints.txt | system
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Foxetales needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[worker,gateway,local,dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps $(NO_DEPS)
	mkdir -p $(@D) && touch $@

$(BUILD)/.installed/parts: sandbox/install.py $(BUILD)/.installed/python
	$(BIN)/python -m sandbox.install $(BUILD)
	touch $@

$(BUILD)/.installed/books: $(wildcard books/*.py books/*/*.py books/*/book.json) $(BUILD)/.installed/python
	$(BIN)/python -m books draw --out $(BUILD)/books
	touch $@
