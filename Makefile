# Winnow. One Makefile, no recursion.
#
#   make            builds build/winnow
#   make run        sets up what is missing and runs the main job on the embedded default
#   make test       installs what tests need and passes everything but fuzz
#   make check      unit, golden and command tests: no server   [T='policy_*' S=7 SAN=address,undefined|thread]
#   make check-db   storage against a private PostgreSQL
#   make check-kafka  ingest and the service against a private Apache Kafka and PostgreSQL
#   make bench      benchmarks (bench-store, ...)
#   make layers     who includes whom; fails on an include that the table forbids
#   make headers    compiles each header alone
#   make symbols    exported names that do not begin with wn_
#   make docs       rewrites deploy/OPTIONS.md and shows the difference
#   make format     applies .clang-format
#   make weights    trains model/weights/winnow again from $(DATA)
#   make install    PREFIX=/usr/local
#   make deps       installs packages: deploy/packages/{run,build,test}.txt
#
# DATA is the only place that names the training data; what needs it says so and skips without it.
DATA ?= ../shared
PREFIX ?= /usr/local
CC ?= gcc
T ?= *
S ?= $(shell date +%s)
SAN ?=

BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma := ,
PKGS := rdkafka libpq jansson icu-uc icu-i18n libsodium libmicrohttpd zlib openblas
STD := -std=c11 -D_GNU_SOURCE -I.
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wno-unused-parameter -Werror
OPT ?= -O2 -g -fno-omit-frame-pointer
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
CFLAGS_ALL = $(STD) $(WARN) $(OPT) $(SANFLAGS) $(CFLAGS) -pthread -MMD -MP $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS_ALL = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread

.DEFAULT_GOAL := all
.PHONY: all
.SECONDARY:
all: $(BUILD)/winnow

# --- libraries, one a folder; each test links only what its folder may include ---
FOLDERS := core model classifier policies storage ingest console
src = $(wildcard $(1)/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(call src,$(1)))
lib = $(BUILD)/lib$(1).a

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c $< -o $@

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

# --- tests: tests/<kind>/<folder>_<file>.c links tests/lib and the libraries of <folder> ---
include tests/tests.mk

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
