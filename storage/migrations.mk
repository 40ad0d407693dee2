# Compiles storage/migrations/*.sql into the library of storage: one C array a file and the list of them, made with od
# and sed, which every machine has. The file's name is its version and its title: NNNN_title.sql.
MIGRATIONS := $(sort $(wildcard storage/migrations/*.sql))

$(BUILD)/storage/migrations_gen.c: $(MIGRATIONS) storage/migrations.mk
	@mkdir -p $(@D)
	@{ echo '#include "storage/migrate_int.h"'; \
	for f in $(MIGRATIONS); do b=$${f##*/}; v=$${b%%_*}; \
	    echo "static const char sql_$$v[] = {"; \
	    od -An -v -tx1 $$f | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; \
	    echo '0 };'; \
	done; \
	echo 'const struct wn_migration wn_migrations[] = {'; \
	for f in $(MIGRATIONS); do b=$${f##*/}; v=$${b%%_*}; n=$${b#*_}; \
	    echo "    { $$(echo $$v | sed 's/^0*//'), \"$${n%.sql}\", sql_$$v },"; \
	done; \
	echo '};'; \
	echo 'const size_t wn_migrations_n = sizeof(wn_migrations) / sizeof(wn_migrations[0]);'; } > $@.tmp
	@mv $@.tmp $@

$(BUILD)/storage/migrations_gen.o: $(BUILD)/storage/migrations_gen.c
	$(CC) $(CFLAGS_ALL) -c $< -o $@

$(call lib,storage): $(BUILD)/storage/migrations_gen.o
