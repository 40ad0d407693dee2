# Tests. tests/<kind>/<folder>_<subject>.c becomes build/tests/<kind>/<folder>_<subject>, a cmocka program that links
# the libraries that <folder> may include, and tests/lib. tests/run.sh runs programs and ends with "N passed, N failed".

$(BUILD)/libtests.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

test_bins = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/$(1)/*.c))

# cmd is a program and no library: its tests link its files without main()
$(BUILD)/libcmd.a: $(filter-out $(BUILD)/cmd/main.o,$(call obj,cmd))
	@rm -f $@
	$(AR) rcs $@ $^
test_libs = $(if $(filter cmd,$(1)),$(BUILD)/libcmd.a) $(call liblist,$(1))

define test_rule
$(BUILD)/tests/$(1)/$(2)_%: $(BUILD)/tests/$(1)/$(2)_%.o $(BUILD)/libtests.a $(call test_libs,$(2))
	$$(CC) $$(SANFLAGS) $$(LDFLAGS) -o $$@ $$< $(BUILD)/libtests.a $(call test_libs,$(2)) $$(LDLIBS_ALL) -lcmocka
endef
$(foreach k,unit golden db kafka bench,$(foreach f,$(FOLDERS) cmd,$(eval $(call test_rule,$(k),$(f)))))

# cmocka programs of this machine: WN_TEST_* tells them where things are
E5_DIR = $(wildcard $(DATA)/data/base/multilingual-e5-small)
RUN_TESTS = T='$(T)' S='$(S)' BUILD='$(BUILD)' WN_TEST_E5_DIR='$(E5_DIR)' tests/run.sh

.PHONY: check check-unit check-golden check-db check-kafka
# scripts are one case each; those that run `winnow` find it through BUILD
test_scripts = $(sort $(wildcard tests/$(1)/*.sh))
check-unit: $(call test_bins,unit) $(BUILD)/winnow
	@$(RUN_TESTS) $(call test_bins,unit) $(call test_scripts,unit)
check-golden: $(call test_bins,golden)
	@$(RUN_TESTS) $^
check: $(call test_bins,unit) $(call test_bins,golden) $(BUILD)/winnow
	@$(RUN_TESTS) $(call test_bins,unit) $(call test_bins,golden) $(call test_scripts,unit)
check-db: $(call test_bins,db) $(BUILD)/winnow
	@$(RUN_TESTS) $(call test_bins,db) $(call test_scripts,db)
check-kafka: $(call test_bins,kafka) $(BUILD)/winnow $(KAFKA_LIBS)
	@$(RUN_TESTS) $(call test_bins,kafka) $(call test_scripts,kafka)

# benchmarks print their figures; see tests/bench/README.md
.PHONY: bench bench-store bench-tokenizer bench-explain bench-policy bench-lists bench-encoder bench-service bench-train
.PHONY: bench-precision bench-reviews bench-report
# EVERY=5: of each fifth text only
EVERY ?= 1
bench-precision: $(BUILD)/winnow
	@BUILD=$(BUILD) tests/bench/precision.sh $(DATA)/data/text/test.jsonl.gz $(EVERY)
# WEIGHTS=DIR: in place of those shipped
bench-reviews: $(BUILD)/tests/bench/cmd_reviews $(BUILD)/winnow
	@BUILD=$(BUILD) $< $(WEIGHTS)
bench: bench-store bench-tokenizer bench-explain bench-policy bench-lists bench-encoder bench-service
bench-store: $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/storage_*.c))
	@for b in $^; do $$b || exit 1; done

# make bench-explain [WEIGHTS=DIR]: milliseconds for the words of one post
WEIGHTS ?= model/weights/winnow
bench-explain: $(BUILD)/tests/bench/classifier_explain
	@$< $(WEIGHTS)

# make bench-policy [RULES=1000 POSTS=100000]: the policy engine beside cel-go, which GO (1.23 or newer) builds
GO ?= go
RULES ?= 1000
POSTS ?= 100000
POLICY_DIR = build/bench/policy/$(RULES)-$(POSTS)
$(POLICY_DIR)/posts.jsonl: tests/bench/policy/corpus.py tests/bench/posts.py
	@python3 -B $< $(RULES) $(POSTS) $(@D)
$(POLICY_DIR)/celgo: $(wildcard tests/bench/policy/celgo/*)
	@command -v $(GO) >/dev/null || { echo "bench-policy: wants Go 1.23 or newer (GO=...) for cel-go" >&2; exit 1; }
	@mkdir -p $(@D)
	cd tests/bench/policy/celgo && $(GO) build -o $(abspath $@) .
bench-policy: $(BUILD)/tests/bench/policies_eval $(POLICY_DIR)/celgo $(POLICY_DIR)/posts.jsonl
	@python3 -B tests/bench/policy/bench.py --build $(BUILD) --folder $(POLICY_DIR)

# make bench-lists [ENTRIES=5000000]: named lists
ENTRIES ?= 5000000
bench-lists: $(BUILD)/tests/bench/policies_list
	@$< $(ENTRIES)

# what is measured beside us, pinned, in a folder of its own
BENCH_PYTHON := build/bench/venv/bin/python
$(BENCH_PYTHON):
	@deploy/install-packages.sh bench
	python3 -m venv build/bench/venv
build/bench/venv/.done-service: tests/bench/service/requirements.txt | $(BENCH_PYTHON)
	$(BENCH_PYTHON) -m pip install -q --disable-pip-version-check -r $< || \
	    { echo "bench: the peer named above cannot be installed ($<)" >&2; exit 1; }
	@touch $@
build/bench/posts-%.jsonl: tests/bench/posts.py
	@mkdir -p $(@D)
	python3 $< $* $@

bench-tokenizer: $(BUILD)/tests/bench/classifier_text build/bench/posts-2048.jsonl build/bench/venv/.done-service
	@mkdir -p $(BUILD)/bench
	@BUILD=$(BUILD) BENCH_PYTHON=$(BENCH_PYTHON) WN_TEST_E5_DIR='$(E5_DIR)' $< build/bench/posts-2048.jsonl

$(BUILD)/tests/bench/service/stand: $(BUILD)/tests/bench/service/stand.o $(BUILD)/libtests.a
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)
bench-service: $(BUILD)/tests/bench/service/stand $(BUILD)/winnow build/bench/posts-32768.jsonl \
    build/bench/venv/.done-service $(KAFKA_LIBS)
	@mkdir -p build/bench/service
	@$< $(BENCH_PYTHON) -B tests/bench/service/bench.py $(BUILD)/winnow build/bench/posts-32768.jsonl \
	    build/bench/service.json build/bench/service

# make bench-encoder [ISA=avx2]: ours beside the peers, which pip installs. One that cannot be installed is left out, said
# and tried again the next time.
ISA ?=
bench-encoder: $(BUILD)/tests/bench/model_encoder $(BUILD)/tests/bench/core_peaks build/bench/models/.done
	@python3 tests/bench/encoder/bench.py --build $(BUILD) --isa '$(ISA)'
build/bench/venv/.done: tests/bench/encoder/requirements.txt | $(BENCH_PYTHON)
	@all=yes; for peer in 'onnxruntime onnx' ctranslate2; do \
	    $(BENCH_PYTHON) -m pip install -q --disable-pip-version-check -c $< $$peer || \
	    { echo "bench-encoder: $$peer cannot be installed" >&2; all=no; }; \
	done; test $$all = no || touch $@
build/bench/corpus.txt: tests/bench/encoder/corpus.py
	@mkdir -p $(@D)
	@python3 $< $@
build/bench/models/.done: $(addprefix tests/bench/,encoder/models.py encoder/ort.py weights.py bert_onnx.py) \
    build/bench/corpus.txt build/bench/venv/.done $(addprefix model/weights/winnow/,config.json model.safetensors)
	@$(BENCH_PYTHON) $< model/weights/winnow build/bench/corpus.txt $(@D)
	@touch $@

# make bench-train [TRAIN='--rounds 5 --bf16']: ours beside PyTorch. Not a part of `bench`: PyTorch is four gigabytes.
TRAIN ?=
bench-train: $(BUILD)/tests/bench/model_train build/bench/corpus.txt build/bench/venv/.done-train
	@python3 -B tests/bench/train/bench.py --build $(BUILD) $(TRAIN)
build/bench/venv/.done-train: tests/bench/train/requirements.txt | $(BENCH_PYTHON)
	$(BENCH_PYTHON) -m pip install -q --disable-pip-version-check -r $<
	@touch $@

# what they left in build/bench, as one page
bench-report:
	@python3 tests/bench/report.py build/bench

# --- the fault rig: make rig [RIG='--posts 200000 --kills 300 --freezes 300 --pg-kills 20'] ---
RIG ?= --posts 200000 --kills 300 --freezes 300 --pg-kills 20
$(BUILD)/tests/rig/worker: $(BUILD)/tests/rig/worker.o $(call liblist,ingest)
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)
$(BUILD)/tests/rig/rig: $(BUILD)/tests/rig/rig.o $(BUILD)/tests/rig/check.o $(BUILD)/libtests.a $(call liblist,storage)
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL) -lcmocka
.PHONY: rig
rig: $(BUILD)/tests/rig/rig $(BUILD)/tests/rig/worker $(KAFKA_LIBS)
	$(BUILD)/tests/rig/rig $(RIG)
check-kafka test-all: $(BUILD)/tests/rig/rig $(BUILD)/tests/rig/worker

# weights that never saw a family of sources, tried on it: ten folds, each kept
.PHONY: lofo
lofo: $(BUILD)/winnow
	@BUILD=$(BUILD) tests/lofo/lofo.sh $(DATA)/data $(DATA)/data/base/multilingual-e5-small build/lofo --exits 3,6

# --- conformance of the policy language: build/cel-conformance FOLDER runs any folder of such cases ---
CEL_CASES = $(DATA)/conformance/cel
$(BUILD)/cel-conformance: $(BUILD)/tests/conformance/policies_cel.o $(call liblist,policies)
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)
.PHONY: conformance
conformance: $(BUILD)/cel-conformance
	@if [ -d '$(CEL_CASES)' ]; then $< '$(CEL_CASES)'; \
	else echo 'conformance: skipped: $(CEL_CASES) is not there (DATA= names the data)'; fi

# the transformers library, for the tests that compare with it where it is there (cmd_export.c): about 3 GB
build/golden/venv/.done: tests/golden/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@
