# Everything a person or CI runs. `make setup` needs nothing but Python 3.11+ and make.
.PHONY: setup demo test browser lint k8s-check audit docs reference release serve bench clean lock

PYTHON ?= python3
BIN := .venv/bin
# Ray's own token authentication, also between the processes of one machine.
export RAY_AUTH_MODE ?= token

setup: .venv/.installed  ## .venv with exactly what requirements.lock names; does nothing the second time

.venv/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: setup  ## the main job, whole; DATA=path ARGS="--image-column Image" takes your own photos
	$(BIN)/python -m catalens.demo $(DATA) $(ARGS)

test: lint browser  ## lint, types, import rules, all tests
	$(BIN)/python -m pytest

browser:  ## Debian's Chromium, for the tests of the web page; without root it is for you to install
	@command -v chromium > /dev/null || { test "$$(id -u)" = 0 && { apt-get update > /dev/null; \
		apt-get install --yes --no-install-recommends chromium > /dev/null; }; } \
		|| echo "No chromium: the web page is not tested."

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

k8s-check: setup  ## manifests and images, part of `test`: built, against schemas, scanned
	$(BIN)/python -m pytest tests/k8s

audit: setup  ## known vulnerabilities of what requirements.lock names
	$(BIN)/uv tool run --from pip-audit pip-audit --disable-pip --require-hashes -r requirements.lock

docs: setup  ## the documentation as a site, in dist/docs
	$(BIN)/uv tool run --with-requirements docs/requirements.txt mkdocs build --strict --site-dir dist/docs

release: docs  ## what ships of the commit, in dist: wheel, image context, manifests, documentation
	rm -f dist/*.whl dist/*.tar.gz
	$(BIN)/uv build --quiet --out-dir dist
	git archive --output dist/image-context.tar.gz HEAD Dockerfile .dockerignore pyproject.toml \
		requirements.lock README.md LICENSE catalens catalog inference train export serve k8s/image
	git archive --output dist/k8s.tar.gz HEAD k8s

reference: setup  ## the commands and calls in docs/reference, anew from the code
	$(BIN)/python -m docs.reference.write

serve: setup  ## BUNDLE=path [ARGS="--catalog path"]; the demo's own when none is named
	$(BIN)/catalens serve $(or $(BUNDLE),demo/bundle --catalog demo/catalog) $(ARGS)

bench: setup  ## BENCH=serving [ARGS="--json OUT"]
	$(BIN)/python -m bench $(or $(BENCH),serving) $(ARGS)

lock: setup  ## after a change of dependencies in pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra bench pyproject.toml -o requirements.lock

clean:  ## all that can be made again
	rm -rf .venv demo dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
