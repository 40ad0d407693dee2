# Tests. tests/<kind>/<folder>_<subject>.c becomes build/tests/<kind>/<folder>_<subject>, a cmocka program that links
# the libraries that <folder> may include, and tests/lib. tests/run.sh runs programs and ends with "N passed, N failed".

$(BUILD)/libtests.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

test_bins = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/$(1)/*.c))

define test_rule
$(BUILD)/tests/$(1)/$(2)_%: $(BUILD)/tests/$(1)/$(2)_%.o $(BUILD)/libtests.a $(call liblist,$(2))
	$$(CC) $$(SANFLAGS) $$(LDFLAGS) -o $$@ $$< $(BUILD)/libtests.a $(call liblist,$(2)) $$(LDLIBS_ALL) -lcmocka
endef
$(foreach k,unit golden db kafka,$(foreach f,$(FOLDERS) cmd,$(eval $(call test_rule,$(k),$(f)))))

# cmocka programs of this machine: WINNOW_TEST_* tells them where things are
RUN_TESTS = T='$(T)' S='$(S)' BUILD='$(BUILD)' tests/run.sh

.PHONY: check check-unit check-golden check-db check-kafka
check-unit: $(call test_bins,unit)
	@$(RUN_TESTS) $^
check-golden: $(call test_bins,golden)
	@$(RUN_TESTS) $^
check: $(call test_bins,unit) $(call test_bins,golden)
	@$(RUN_TESTS) $^
check-db: $(call test_bins,db)
	@$(RUN_TESTS) $^
check-kafka: $(call test_bins,kafka)
	@$(RUN_TESTS) $^
