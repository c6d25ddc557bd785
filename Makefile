# make run: the first command on a fresh machine.   make test: the second.   make check, make bench: for those who change it.
PYTHON ?= python3
export PYTHON

BIN := .venv/bin
# One more than there are cores: tests wait a lot.
WORKERS ?= $(shell expr $$(nproc) + 1)

# Wherever this is set, every worker of the tests would compile all of them anew, and every server they start itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test proofs check format guards bench soak-box observatory security secrets audit sbom lock pictures screenshots image manifests system-packages

run:
	@scripts/environment run
	@exec $(BIN)/python main.py

test: system-packages
	@scripts/environment dev
	@exec scripts/tests $(WORKERS)

# The tests that take long: the same accident many times, whole clusters, bombs, what is only gone after a minute.
proofs: system-packages
	@scripts/environment dev
	@exec scripts/tests $(WORKERS) -m proof

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

# Every guard is taken out of a copy of the program, and a test must go red. ONLY=part-of-a-name: only those.
guards:
	@scripts/environment dev
	@exec $(BIN)/python -m pytest -m mutation tests/guards $(if $(ONLY),-k "$(ONLY)")

# stdout is one JSON object and nothing else.
bench:
	@scripts/environment dev
	@exec $(BIN)/python -m bench

# Our own rules over the code, and over samples that show that each rule works. Offline; its tools are 350 MB.
SEMGREP := .venv/security/bin/semgrep scan --metrics=off --disable-version-check --quiet
security: secrets
	@scripts/security-tools
	$(SEMGREP) --test --config security security
	$(SEMGREP) --error --config security/semgrep.yml core auth ui web main.py scripts

# Keys, in the tree and in the history of this branch.
secrets:
	@scripts/environment dev
	@$(BIN)/python -m security.find_secrets

# Known holes in what is locked. Asks the network.
audit:
	@scripts/environment dev
	@scripts/security-tools
	@for lock in requirements.lock requirements-dev.lock requirements-uv.lock; do \
	  .venv/security/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement $$lock || exit 1; \
	done

# What a release is made of (CycloneDX), from the lock file: on stdout, the same for the same lock.
sbom:
	@scripts/environment dev
	@scripts/security-tools
	@.venv/security/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible

# What MDN's HTTP Observatory and Google's CSP evaluator say about our pages, asked on this machine; needs npm.
observatory: system-packages
	@scripts/environment dev
	@scripts/system-packages npm:npm
	@cd tests/observatory && npm ci --omit=optional --ignore-scripts --no-audit --no-fund
	@exec $(BIN)/python -m pytest -m observatory -rP tests/e2e/test_observatory.py

# A thousand starts and kills of a box, some minutes; fails if anything is left.
soak-box: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m tests.core.spawner.soak

# The pictures of the README, taken from the real product with the practice model.
pictures: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m tests.e2e.pictures

# Every page in both languages and themes at three widths, with what axe finds. TO=folder: where they go.
screenshots: system-packages
	@scripts/environment dev
	@exec $(BIN)/python -m tests.e2e.screenshots $(or $(TO),screenshots)

lock:
	scripts/lock

# Builds it (docker, or buildah and podman), then passes the main job through containers of it.
IMAGE ?= localhost/oh-my-agent:dev
image:
	@scripts/environment dev
	@scripts/image $(IMAGE)
	@scripts/system-packages podman:podman crun:crun catatonit:catatonit /usr/lib/podman/netavark:netavark chromium:chromium haproxy:haproxy
	IMAGE=$(IMAGE) $(BIN)/python -m pytest -q tests/e2e/image_walk.py

# All that is deployed: k8s/, Dockerfile.claude, workflows, scripts. Offline, once its tools are there.
manifests:
	@scripts/environment dev
	@scripts/manifests

# What tests need beyond Python: boxes, a browser, a balancer, a font for Korean; Firestore's emulator, if Google's package source is here.
EMULATOR := /usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar
system-packages:
	@scripts/system-packages bwrap:bubblewrap chromium:chromium ?chromium-headless-shell:chromium-headless-shell haproxy:haproxy curl:curl /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:fonts-noto-cjk ?$(EMULATOR):google-cloud-cli-firestore-emulator
