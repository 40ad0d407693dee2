/* The numbered migrations, made from storage/migrations/ by the Makefile. */
#ifndef WN_STORAGE_MIGRATE_INT_H
#define WN_STORAGE_MIGRATE_INT_H

#include <stddef.h>

struct wn_migration {
    int version; /* 1, 2, 3, ... without holes */
    const char *name;
    const char *sql;
};
extern const struct wn_migration wn_migrations[];
extern const size_t wn_migrations_n;

#endif
