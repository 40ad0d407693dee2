# Winnow. One Makefile, no recursion.
#
#   make            builds build/winnow
#   make run        sets up what is missing and runs the main job on the embedded default
#   make test       installs what tests need and passes everything but fuzz
#   make check      unit, golden and command tests: no server   [T='policy_*' S=7 SAN=address,undefined|thread]
#   make conformance  the policy language against the standard's cases in $(DATA)/conformance/cel
#   make check-db   storage against a private PostgreSQL
#   make check-kafka  ingest and the service against a private Apache Kafka and PostgreSQL
#   make bench      all benchmarks but the next two: bench-store, bench-tokenizer, bench-explain, bench-policy, bench-lists, bench-encoder [ISA=avx2], bench-service
#   make bench-precision  int8 beside fp32 on the texts of $(DATA) [EVERY=5]
#   make bench-train  training beside PyTorch   [TRAIN='--bf16 --rounds 9']
#   make bench-reviews  what learning from decisions is worth, with the shipped weights [WEIGHTS=DIR]
#   make bench-report  build/bench/report.html of what they measured
#   make layers     who includes whom; fails on an include that the table forbids
#   make headers    compiles each header alone
#   make symbols    exported names that do not begin with wn_
#   make fuzz       F=NAME of tests/fuzz, FUZZ_SECONDS=60
#   make docs       rewrites deploy/OPTIONS.md and shows the difference
#   make format     applies .clang-format
#   make lofo       trains ten times, a family of sources left out each time, and tries it on that family (hours; goes on)
#   make weights    trains model/weights/winnow again from $(DATA)
#   make install    PREFIX=/usr/local
#   make deps       installs packages: deploy/packages/{run,build,test,bench}.txt
#   make clean      removes build/
#   make help       prints this list
#
# DATA is the only place that names the training data; what needs it says so and skips without it.
DATA ?= ../shared
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
T ?= *
S ?= $(shell date +%s)
SAN ?=

comma := ,
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
PKGS := rdkafka libpq jansson icu-uc icu-i18n libsodium libmicrohttpd zlib openblas
STD := -std=c11 -D_GNU_SOURCE -I.
# librdkafka's RD_KAFKA_V_ macros are statement expressions, which only clang minds
WARN_CC := $(if $(findstring clang,$(CC)),-Wno-gnu-statement-expression)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wno-unused-parameter -Werror $(WARN_CC)
OPT ?= -O2 -g -fno-omit-frame-pointer
# gcc cannot follow values through its own instrumentation: that one warning is for plain builds
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all $(if $(findstring clang,$(CC)),,-Wno-maybe-uninitialized))
CFLAGS_ALL = $(STD) $(WARN) $(OPT) $(SANFLAGS) $(CFLAGS) -pthread -MMD -MP $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS_ALL = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread

.DEFAULT_GOAL := all
.PHONY: all
.SECONDARY:
all: $(BUILD)/winnow

# --- libraries, one a folder; each test links only what its folder may include ---
FOLDERS := core model classifier policies storage ingest console
# kernels of x86 instruction sets: each object alone has its instructions, and no other machine builds them
X86_KERNELS := $(wildcard model/kernels/kernels_avx*.c model/train/*_avx*.c)
# (they share nothing: the thread sanitizer would only make them fifty times slower)
KERNEL_SAN := $(if $(filter thread,$(SAN)),-fno-sanitize=thread)
KERNEL_FLAGS := -O3 -ffp-contract=fast $(KERNEL_SAN)
ISA_avx2 := -mavx2 -mfma -mf16c
ISA_avxvnni := $(ISA_avx2) -mavxvnni
ISA_avx512vl := $(ISA_avx2) -mavx512f -mavx512vl -mavx512vnni
ISA_avx512vnni := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
ISA_avx512bf16 := $(ISA_avx512vnni) -mavx512bf16
$(foreach k,$(X86_KERNELS),$(eval $(BUILD)/$(k:.c=.o): ISA := $(KERNEL_FLAGS) $$(ISA_$(lastword $(subst _, ,$(basename $(notdir $(k))))))))
$(BUILD)/model/train/net_avx2.o: ISA := -O3 -ffp-contract=fast $(ISA_avx2)
$(BUILD)/model/kernels/kernels_ref.o $(BUILD)/model/kernels/pack.o: ISA := -O3 $(KERNEL_SAN)
src = $(filter-out $(if $(filter x86_64 amd64,$(shell uname -m)),,$(X86_KERNELS)),$(wildcard $(1)/*.c $(1)/kernels/*.c $(1)/train/*.c))
obj = $(patsubst %.c,$(BUILD)/%.o,$(call src,$(1)))
lib = $(BUILD)/lib$(1).a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(ISA) -c $< -o $@

define folder_rule
$(call lib,$(1)): $(call obj,$(1))
	@rm -f $$@
	$(AR) rcs $$@ $$^
.PHONY: $(1)
$(1): $(call lib,$(1))
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

libs_core := core
libs_model := model core
libs_classifier := classifier model core
libs_policies := policies core
libs_storage := storage core
libs_ingest := ingest storage policies classifier model core
libs_console := console storage policies classifier model core
libs_cmd := ingest console storage policies classifier model core
liblist = $(foreach l,$(libs_$(1)),$(call lib,$(l)))

$(BUILD)/winnow: $(call obj,cmd) $(call liblist,cmd)
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

-include storage/migrations.mk

# Apache Kafka for the tests, fetched once; part of no product
KAFKA_LIBS = $(if $(wildcard tests/kafka/pom.xml),build/kafka/libs/.done)
build/kafka/libs/.done: tests/kafka/pom.xml
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(abspath build/kafka/libs)
	@touch $@

# --- tests: tests/<kind>/<folder>_<file>.c links tests/lib and the libraries of <folder> ---
include tests/tests.mk

# --- the embedded default (DESIGN 10) and what the machine needs ---
.PHONY: run deps deps-build test test-all
deps-build:
	@deploy/install-packages.sh run build
deps:
	@deploy/install-packages.sh run build test
run: deps-build
	@$(MAKE) -q --no-print-directory all >/dev/null 2>&1 || echo "building winnow (about half a minute)"
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@deploy/embedded.sh

# Everything but fuzz in one run of tests/run.sh, so that the last line is the one total.
test: deps
	@$(MAKE) --no-print-directory test-all
test-all: $(BUILD)/winnow $(KAFKA_LIBS) $(foreach k,unit golden db kafka,$(call test_bins,$(k)))
	@$(RUN_TESTS) $(foreach k,unit golden db kafka,$(call test_bins,$(k)) $(sort $(wildcard tests/$(k)/*.sh)))

# Trains what is shipped: about two hours on two cores that have AVX512-BF16, four on others; stopped, it goes on where it was.
# First everything, then once more with posts of feeds in front. BASE is the folder of multilingual-e5-small;
# model/weights/about.md says which form of it.
BASE ?= $(DATA)/data/base/multilingual-e5-small
TRAIN_WEIGHTS = $(BUILD)/winnow train --data $(DATA)/data/text --data model/data/feed --exits 3,6
.PHONY: weights
weights: $(BUILD)/winnow
	@test -f $(DATA)/data/text/train.jsonl.gz || { echo "weights: skipped: $(DATA)/data/text is not there (DATA= names the data)"; exit 0; }; \
	test -f $(BASE)/model.safetensors || { echo "weights: $(BASE) is not the folder of multilingual-e5-small; BASE= names it"; exit 1; }; \
	mkdir -p build/weights && { test -f build/weights/first/config.json || $(TRAIN_WEIGHTS) --base $(BASE) --epochs 3 \
	    --weight feed=2.5 --weight x_posts=2 --cache build/weights/first.bin --out build/weights/first; } && \
	$(TRAIN_WEIGHTS) --base build/weights/first.tuned --epochs 1 --rate 1e-4 --weight feed=8 --weight x_posts=4 \
	    --cache build/weights/features.bin --test $(DATA)/data/text/test.jsonl.gz --about model/weights/about.md \
	    --name winnow-multilingual-1 --out build/weights/winnow && \
	$(BUILD)/winnow eval $(DATA)/data/text/test.jsonl.gz model/data/feed/test.jsonl --dev $(DATA)/data/text/dev.jsonl.gz --attacks \
	    --weights build/weights/winnow --json build/weights/metrics.json && \
	cp build/weights/metrics.json build/weights/winnow/ && $(BUILD)/winnow model card build/weights/winnow && \
	rm -rf model/weights/winnow && cp -r build/weights/winnow model/weights/winnow

# --- checks of the tree ---
.PHONY: layers headers symbols docs format
layers:
	@deploy/check-layers.sh

HEADERS = $(wildcard $(addsuffix /*.h,$(FOLDERS) cmd tests/lib)) $(wildcard model/kernels/*.h model/train/*.h)
headers:
	@for cc in gcc clang; do for h in $(HEADERS); do \
	    printf '#include "%s"\nextern int wn_not_empty;\n' $$h | \
	    $$cc $(STD) $(WARN) $$(pkg-config --cflags $(PKGS)) -fsyntax-only -x c - || { echo "$$h does not compile alone"; exit 1; }; \
	done; echo "headers: $(words $(HEADERS)) compile alone with $$cc"; done

symbols: $(foreach f,$(FOLDERS),$(call lib,$(f)))
	@nm -g --defined-only $^ 2>/dev/null | awk 'NF == 3 && $$3 !~ /^wn_/ { print; bad = 1 } \
	    END { if (bad) exit 1; print "symbols: every exported name begins with wn_" }'

docs: $(BUILD)/winnow
	@$(BUILD)/winnow help options --markdown >$(BUILD)/OPTIONS.md
	@diff -u deploy/OPTIONS.md $(BUILD)/OPTIONS.md || true
	@cp $(BUILD)/OPTIONS.md deploy/OPTIONS.md

format:
	@clang-format -i $$(git ls-files "*.c" "*.h")

# make fuzz F=ingest_parse [FUZZ_SECONDS=60]: tests/fuzz/<folder>_<subject>.c with libFuzzer
# (archives: only what the target reaches is linked)
FUZZ_SECONDS ?= 60
FUZZ_LIBS = $(patsubst %,build/fuzz/obj/lib%.a,$(libs_$(firstword $(subst _, ,$(F)))))
.PHONY: fuzz
fuzz:
	@test -f 'tests/fuzz/$(F).c' || { echo 'make fuzz F=NAME; there are:' $(notdir $(basename $(wildcard tests/fuzz/*.c))); exit 2; }
	@mkdir -p build/fuzz/$(F).corpus
	@$(MAKE) --no-print-directory -s BUILD=build/fuzz/obj CC=clang SAN=fuzzer-no-link,address,undefined \
	    CFLAGS='-O1 -w' $(FUZZ_LIBS)
	clang $(STD) -O1 -g -fsanitize=fuzzer,address,undefined $$(pkg-config --cflags $(PKGS)) -pthread -o build/fuzz/$(F) \
	    tests/fuzz/$(F).c $(FUZZ_LIBS) $(LDLIBS_ALL)
	build/fuzz/$(F) -max_total_time=$(FUZZ_SECONDS) build/fuzz/$(F).corpus $(wildcard tests/fuzz/$(F).seeds)

.PHONY: clean help
clean:
	rm -rf build
help:
	@sed -n 's/^#   \(make\( .*\)\{0,1\}\)$$/\1/p' Makefile

.PHONY: install
install: $(BUILD)/winnow
	install -D -m 0755 $(BUILD)/winnow $(DESTDIR)$(PREFIX)/bin/winnow
	cd model/weights && find winnow -type f -exec install -D -m 0644 {} $(DESTDIR)$(abspath $(PREFIX))/share/winnow/weights/{} \;
	cd model && find data -name '*.jsonl' -exec install -D -m 0644 {} $(DESTDIR)$(abspath $(PREFIX))/share/winnow/{} \;
	find policies -maxdepth 1 -name '*.json' -exec install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/winnow/policies {} +
	install -D -m 0644 deploy/winnow.conf $(DESTDIR)$(PREFIX)/share/winnow/winnow.conf
	install -D -m 0644 deploy/systemd/winnow.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/winnow.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin/|$(abspath $(PREFIX))/bin/|' deploy/systemd/winnow.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/winnow.service

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
