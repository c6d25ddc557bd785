# make run: the first command on a fresh machine.   make test: the second.   make check, make bench: for those who change it.
PYTHON ?= python3
export PYTHON

BIN := .venv/bin
WORKERS ?= auto

.PHONY: run test check format bench lock system-packages

run:
	@scripts/environment run
	@exec $(BIN)/python main.py

test: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check:
	@scripts/environment dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	@scripts/environment dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# stdout is one JSON object and nothing else.
bench:
	@scripts/environment dev
	@exec $(BIN)/python -m bench

lock:
	scripts/lock

# What tests need beyond Python: boxes, a browser, a font for Korean; Firestore's emulator, if Google's package source is here.
EMULATOR := /usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar
system-packages:
	@scripts/system-packages bwrap:bubblewrap chromium:chromium /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:fonts-noto-cjk ?$(EMULATOR):google-cloud-cli-firestore-emulator
