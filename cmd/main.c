/*
 * winnow: the table of subcommands, and what holds for all of them.
 *
 * The arguments are copied first and secrets blotted out in the originals, so
 * that a password given as a flag does not stay in the process list.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "core/suggest.h"

static int help(int argc, char **argv);

static const struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
} subcommands[] = {
    { "run", wn_cmd_run, "read posts, judge them, store verdicts" },
    { "score", wn_cmd_score, "judge texts from arguments or standard input" },
    { "migrate", wn_cmd_migrate, "make the database fit this build" },
    { "status", wn_cmd_status,
        "what the tables say: verdicts, cursors, audit" },
    { "review", wn_cmd_review, "list what waits for a person; decide; import" },
    { "policy", wn_cmd_policy, "check or show a policy; list the signals" },
    { "list", wn_cmd_list, "lists of the database: put a version, show them" },
    { "train", wn_cmd_train, "make weights from labelled texts" },
    { "eval", wn_cmd_eval, "measure weights on labelled texts" },
    { "model", wn_cmd_model, "describe weights, compare two, write the card" },
    { "help", help, "this page; also `help options`, `help signals`" },
};
#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

/* What help describes besides. */
static const struct subcommand topics[] = {
    { .name = "options" },
    { .name = "signals" },
};
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

static const struct subcommand *
find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static void
print_usage(FILE *f)
{
    fputs("Usage: winnow SUBCOMMAND [ARGUMENTS]\n"
          "\n"
          "Judges posts for spam, scams, engagement bait and machine-written "
          "text,\n"
          "applies a policy, and stores verdict and audit trail in "
          "PostgreSQL.\n"
          "\n",
        f);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(f, "  %-8s  %s\n", subcommands[i].name, subcommands[i].does);
    fputs("\n"
          "winnow SUBCOMMAND --help describes one of them; winnow --version.\n"
          "Exit status: 0, 1 it did not work, 2 bad usage, 78 an option, a "
          "policy or\nweights are wrong and nothing was touched.\n",
        f);
}

static const char *
name_of(const void *names, size_t i)
{
    return ((const struct subcommand *)names)[i].name;
}

/* Exit status 2: there is no such subcommand, or topic of help. */
static int
unknown(const char *what, const char *name)
{
    const char *nearest =
        wn_suggest(name, strlen(name), name_of, subcommands, SUBCOMMANDS);

    if (nearest == NULL && strcmp(what, "help topic") == 0)
        nearest = wn_suggest(name, strlen(name), name_of, topics, TOPICS);
    fprintf(stderr, "winnow: there is no %s '%.40s'", what, name);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fputs("\nTry 'winnow --help'.\n", stderr);
    return 2;
}

/* `winnow help options [--markdown]` also writes deploy/OPTIONS.md. */
static int
help(int argc, char **argv)
{
    struct wn_buf out;

    if (argc >= 2 && strcmp(argv[1], "options") == 0) {
        wn_buf_init(&out, 1u << 20);
        if (argc >= 3 && strcmp(argv[2], "--markdown") == 0)
            wn_options_markdown(&out);
        else
            wn_options_help(&out, NULL);
        fwrite(out.data, 1, out.len, stdout);
        wn_buf_release(&out);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "help") == 0 || argv[1][0] == '-') {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "signals") == 0) {
        char *show[] = { (char[]){ "policy" }, argv[1], NULL };

        return wn_cmd_policy(2, show);
    }
    if (find(argv[1]) != NULL) {
        char *ask[] = { argv[1], (char[]){ "--help" }, NULL };

        return find(argv[1])->run(2, ask);
    }
    return unknown("help topic", argv[1]);
}

/* Where the secret part of one argument begins, or NULL. `next` is set when
 * it is the argument after this one. */
static char *
secret_in(char *arg, bool *next)
{
    char name[128];
    size_t len;

    *next = false;
    if (strncmp(arg, "--", 2) != 0)
        return NULL;
    len = strcspn(arg + 2, "=");
    if (len == 0 || len >= sizeof(name))
        return NULL;
    memcpy(name, arg + 2, len);
    name[len] = '\0';
    for (size_t i = 0; strncmp(name, "kafka.", 6) != 0 && i < len; i++)
        if (name[i] == '-')
            name[i] = '_'; /* as options are spelled in the table */
    if (strcmp(wn_option_shown(name, "x"), "***") != 0)
        return NULL;
    *next = arg[2 + len] == '\0';
    return arg + 2 + len + (*next ? 0 : 1);
}

/* Copies of the arguments, all in one block that the caller frees; secrets are
 * blotted out of argv. NULL without memory. */
static char **
take_arguments(int argc, char **argv)
{
    size_t bytes = ((size_t)argc + 1) * sizeof(char *);
    bool next = false;
    char **copy, *at;

    for (int i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    copy = calloc(1, bytes);
    if (copy == NULL)
        return NULL;
    at = (char *)(copy + argc + 1);
    for (int i = 0; i < argc; i++) {
        char *secret = argv[i];

        copy[i] = at;
        at = stpcpy(at, argv[i]) + 1;
        if (!next)
            secret = secret_in(argv[i], &next);
        else
            next = false;
        if (secret != NULL && !next)
            memset(secret, '*', strlen(secret));
    }
    return copy;
}

/* What could not be written was not said: a full disk is no success. */
static int
said(int rc)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || rc != 0)
        return rc;
    fprintf(stderr, "winnow: standard output: %s\n", strerror(errno));
    return 1;
}

int
main(int argc, char **argv)
{
    const struct subcommand *sub;
    char **args;
    int rc;

    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("winnow %s (schema %d)\n", WINNOW_VERSION, wn_schema_version());
        return said(0);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return said(help(1, argv));
    sub = find(argv[1]);
    if (sub == NULL)
        return unknown("subcommand", argv[1]);
    args = take_arguments(argc, argv);
    if (args == NULL)
        return wn_cmd_fail(1, sub->name, "out of memory");
    rc = sub->run(argc - 1, args + 1);
    if (rc == WN_EX_CONFIG && wn_cmd_misused())
        rc = 2;
    free(args);
    return said(rc);
}
