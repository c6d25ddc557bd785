# make run: the first command on a fresh machine.   make test: the second.   make check, make bench: for those who change it.
PYTHON ?= python3
export PYTHON

BIN := .venv/bin
WORKERS ?= auto

.PHONY: run test check format bench observatory lock system-packages

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

# What MDN's HTTP Observatory and Google's CSP evaluator say about our pages, asked on this machine; needs npm.
observatory: system-packages
	@scripts/environment dev
	@scripts/system-packages npm:npm
	@cd tests/observatory && npm ci --omit=optional --ignore-scripts --no-audit --no-fund
	@exec $(BIN)/python -m pytest -m observatory -rP tests/e2e/test_observatory.py

lock:
	scripts/lock

# What tests need beyond Python: boxes, a browser, a font for Korean.
system-packages:
	@scripts/system-packages bwrap:bubblewrap chromium:chromium /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:fonts-noto-cjk
