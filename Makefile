# `make` alone lists the targets. Everything happens in .venv and build/; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find src native CMakeLists.txt README.md LICENSE pyproject.toml \
             -type f -not -name '*.pyc' 2>/dev/null)
C_SOURCES := $(shell find native benchmarks -name '*.[ch]')
# Without build isolation: pip would fetch cmake again for every build, past the pins of older pips.
INSTALL := $(BIN)/pip install --quiet --no-build-isolation $(INSTALL_OPTIONS)
RESULTS ?= results/local
NATIVE := build/native
PYTEST := $(BIN)/python -m pytest
# System tests wait for events and measure nothing, so several may run at a time.
WORKERS ?= 2
CMAKE := $(BIN)/cmake -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja
# Older ThreadSanitizers refuse address spaces as random as newer kernels make them.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

# Relative on purpose: pip splits this variable at spaces.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME

.DELETE_ON_ERROR:
.PHONY: help demo verify test unit system soak test-all test-rocm test-ray test-wheels new-symbols lint format ctest native \
  coverage mutants sanitize bench wheel wheels clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.torch ## install, then show two programs sharing the device by priority
	$(BIN)/giveway demo $(ARGS)

verify: $(VENV)/.torch ## show that PyTorch computes the same under giveway; all checks, some minutes
	@mkdir -p $(RESULTS)
	GIVEWAY_COMMIT=$$(git rev-parse --short=12 HEAD 2>/dev/null) \
	  $(BIN)/giveway verify --json $(RESULTS)/verify.json $(ARGS)

test: $(VENV)/.test native ## lint, types, C tests, unit and system tests: before every commit
	$(MAKE) --no-print-directory --output-sync=target -j2 lint ctest unit
	$(MAKE) --no-print-directory system

unit: $(VENV)/.test ## tests without a process, a compiler or a clock
	$(PYTEST) tests/unit tests/sim $(ARGS)

system: native $(VENV)/.test ## tests with real processes, signals, kills and broken files
	$(PYTEST) -n $(WORKERS) --dist loadfile tests/system $(ARGS)

soak: native $(VENV)/.test ## what bets on the clock: latency bounds, many random kills, long runs
	$(BIN)/ctest --test-dir $(NATIVE) -L soak --output-on-failure
	$(PYTEST) tests/soak $(ARGS)
	$(PYTEST) tests/unit --hypothesis-profile=soak $(ARGS)

test-all: test soak test-rocm test-ray ## all that this machine can run

test-rocm: native $(VENV)/.test ## the HIP shims on AMD's runtimes and libraries, downloaded into build/rocm; no GPU
	GIVEWAY_ROCM=build/rocm $(PYTEST) tests/rocm $(ARGS)

test-ray: $(VENV)/.ray ## the Ray integration on a real cluster on this machine; six minutes on two cores
	GIVEWAY_RAY=1 $(PYTEST) tests/ray $(ARGS)

test-wheels: $(VENV)/.test $(VENV)/.wheels ## builds the wheels, installs one, runs C tests for aarch64 under qemu-user
	$(PYTEST) tests/wheels $(ARGS)

new-symbols: $(VENV)/.build ## compares the newest CUDA header with the symbol table
	$(BIN)/python -m tools.new_symbols $(ARGS)

lint: $(VENV)/.test ## ruff, clang-format and mypy, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_SOURCES)
	$(BIN)/mypy src

format: $(VENV)/.test ## ruff and clang-format, in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_SOURCES)

native: $(VENV)/.build
	$(CMAKE) -S . -B $(NATIVE) -DGIVEWAY_TESTS=ON $(NATIVE_OPTIONS)
	$(BIN)/cmake --build $(NATIVE)

ctest: native ## the C tests
	$(BIN)/ctest --test-dir $(NATIVE) -j2 -LE soak --output-on-failure

# The same rules with an environment and a build of their own. The package is built in there too, so
# that the libraries of both count in one place. A test that fails still counts what it reached.
COVERAGE := build/coverage
COVERED := VENV=$(COVERAGE)/venv NATIVE=$(COVERAGE)/native NATIVE_OPTIONS=-DGIVEWAY_COVERAGE=ON \
  INSTALL_OPTIONS='-C build-dir=$(COVERAGE)/native/package -C cmake.define.GIVEWAY_COVERAGE=ON' \
  PYTEST='$(COVERAGE)/venv/bin/python -m coverage run -m pytest'

coverage: export GIVEWAY_NATIVE := $(CURDIR)/$(COVERAGE)/native
coverage: ## count the lines of Python and C that make test reaches, into build/coverage
	rm -rf $(COVERAGE)/data && mkdir -p $(COVERAGE)/data
	find $(COVERAGE) -name '*.gcda' -delete
	$(MAKE) --keep-going $(COVERED) ctest unit system || \
	  echo "make coverage: some tests failed; what they did not reach is missing below" >&2
	$(COVERAGE)/venv/bin/coverage combine --quiet
	$(COVERAGE)/venv/bin/coverage json --quiet -o $(COVERAGE)/python.json
	$(COVERAGE)/venv/bin/python tools/coverage_table.py $(COVERAGE)

mutants: $(VENV)/.test ## break giveway in one place after another: do the tests notice? half an hour
	$(BIN)/python tools/mutants.py $(ARGS)

sanitize: build/asan.run build/tsan.run ## the C tests under ASan + UBSan, then under TSan

build/asan.run: SANITIZERS := address,undefined
build/tsan.run: SANITIZERS := thread
.PHONY: build/asan.run build/tsan.run
build/asan.run build/tsan.run: build/%.run: $(VENV)/.build
	$(CMAKE) -S . -B build/$* -DGIVEWAY_TESTS=ON -DGIVEWAY_SANITIZE=$(SANITIZERS)
	$(BIN)/cmake --build build/$*
	$(FIXED_ADDRESSES) $(BIN)/ctest --test-dir build/$* -LE soak --output-on-failure

bench: native $(VENV)/.torch ## the micro-benchmarks; what they print goes to $(RESULTS) as well
	@mkdir -p $(RESULTS)
	build/native/benchmarks/bench_gate | tee $(RESULTS)/bench_gate.json
	LD_PRELOAD=build/native/native/libgiveway-cpu.so build/native/benchmarks/bench_region | \
	  tee $(RESULTS)/bench_region.json
	$(BIN)/python benchmarks/operator_hook.py | tee $(RESULTS)/bench_operator.json
	$(BIN)/python benchmarks/recorder.py | tee $(RESULTS)/bench_recorder.json
	$(BIN)/python benchmarks/startup.py | tee $(RESULTS)/bench_startup.json
	$(BIN)/python benchmarks/scheduler.py | tee $(RESULTS)/bench_scheduler.json
	GIVEWAY_CUDA_LIBRARY=build/native/native/fake/libfake-cuda.so \
	  LD_PRELOAD=build/native/native/gpu/libgiveway-cuda.so build/native/benchmarks/bench_launch | \
	  tee $(RESULTS)/bench_launch.json
	GIVEWAY_CUDA_LIBRARY=build/native/native/fake/libfake-cuda.so \
	  LD_PRELOAD=build/native/native/gpu/libgiveway-cuda.so build/native/benchmarks/bench_memory | \
	  tee $(RESULTS)/bench_memory.json
	$(BIN)/python benchmarks/daemon.py --raw $(RESULTS)/bench_daemon.txt | tee $(RESULTS)/bench_daemon.json
	$(BIN)/python benchmarks/cores.py build/native | tee $(RESULTS)/bench_cores.json
	$(BIN)/python benchmarks/shares.py | tee $(RESULTS)/bench_shares.json
	@echo "bursts on the fake driver: simulated"
	$(BIN)/python benchmarks/bursts.py build/native --fake | tee $(RESULTS)/bursts-null.json
	$(BIN)/python benchmarks/bursts.py build/native --fake --stream | tee $(RESULTS)/bursts-created.json

wheel: $(VENV)/.build ## dist/giveway-*-py3-none-linux_x86_64.whl
	$(BIN)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	@ls dist/*.whl

wheels: $(VENV)/.wheels ## dist/: the source, and wheels for x86_64 and aarch64 that an index accepts
	$(BIN)/python tools/wheels.py $(ARGS)

clean: ## remove .venv, build and dist
	rm -rf $(VENV) build dist

# Stamps: a rule runs again only when what it depends on has changed.

$(VENV)/.build: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: $(PYTHON) is missing or older than 3.11: install one, or say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: $(PYTHON) has no venv module: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@command -v cc >/dev/null || \
	  { echo "make: no C compiler: install one (Debian, Ubuntu: apt install gcc libc6-dev)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet pip
	$(BIN)/pip install --quiet scikit-build-core cmake ninja
	@touch $@

$(VENV)/.torch: $(VENV)/.build $(SOURCES)
	$(INSTALL) '.[torch]'
	@touch $@

$(VENV)/.test: $(VENV)/.build $(SOURCES)
	$(INSTALL) '.[torch,test]'
	@touch $@ $(VENV)/.torch

$(VENV)/.wheels: $(VENV)/.build
	$(BIN)/pip install --quiet ziglang auditwheel
	@touch $@

# Serve and Train are what Ray's users use it with, and giveway does not need them.
$(VENV)/.ray: $(VENV)/.test
	$(INSTALL) '.[ray]' 'ray[serve,train]'
	@touch $@
