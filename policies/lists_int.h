/*
 * The lists of a process, between lists.c and lists_folder.c.
 */
#ifndef WN_POLICIES_LISTS_INT_H
#define WN_POLICIES_LISTS_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "policies/lists.h"

struct wn_list_set {
    atomic_uint holders;
    size_t n;
    struct wn_list *list[WN_LISTS_MAX]; /* by name */
    char version[17];
};

/* What tells one content of a file from the next. */
struct wn_list_stamp {
    uint64_t device, inode;
    int64_t size, time_s, time_ns;
};
struct wn_list_file {
    char name[WN_LIST_NAME_MAX + 8]; /* with its ending */
    struct wn_list_stamp seen;       /* at the last look          */
    struct wn_list_stamp tried;      /* read, whatever came of it */
    bool here;                       /* at the last look          */
    bool missed;                     /* gone, and told so         */
};

struct wn_lists {
    pthread_mutex_t lock;   /* of `set`                             */
    pthread_mutex_t change; /* held while a new set is made of `set` */
    struct wn_list_set *set;
    /* below: the polling thread's */
    char *folder; /* NULL: none */
    struct wn_list_file files[WN_LISTS_MAX];
    size_t files_n;
    /* the watch */
    pthread_t thread;
    pthread_mutex_t stop_lock; /* of `stop` */
    pthread_cond_t stop_cond;
    bool watched, stop;
    struct wn_lists_watch watch;
};

/* lists_folder.c: every file, without waiting; the first error ends it. */
enum wn_status wn_lists_read_folder(struct wn_lists *ls, struct wn_err *err);
#endif
