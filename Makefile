# make run: the first command on a fresh machine.   make test: the second.   make check, make bench: for those who change it.
PYTHON ?= python3
export PYTHON

BIN := .venv/bin

.PHONY: run test check format bench lock soak-box system-packages

run:
	@scripts/environment run
	@exec $(BIN)/python main.py

test: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m pytest

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

# A thousand starts and kills of a box, some minutes; fails if anything is left.
soak-box: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m tests.core.spawner.soak

lock:
	scripts/lock

# What tests need beyond Python: boxes, a browser, a font for Korean.
system-packages:
	@scripts/system-packages bwrap:bubblewrap chromium:chromium /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:fonts-noto-cjk
