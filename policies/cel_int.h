/*
 * The expression language of rules: CEL (google/cel-spec), a first part.
 *
 *   text --cel_lex.c--> tokens --cel_parse.c--> tree --cel_check.c--> typed
 *   tree with names resolved --cel_eval.c--> value
 *
 * A compiled expression is read-only; any number of threads may evaluate it,
 * each with its own struct wn_cel_run. Evaluation calls no malloc: what it has
 * to build (a + of strings, a list of computed elements) lies in the run's
 * fixed scratch, so its outcome depends on the variables and on nothing else.
 */
#ifndef WN_POLICIES_CEL_INT_H
#define WN_POLICIES_CEL_INT_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/signals.h"
#include "core/status.h"
#include "core/suggest.h"
#include "policies/policy.h"

#define WN_CEL_SOURCE_MAX (64u << 10) /* bytes of one expression         */
#define WN_CEL_NODES_MAX 8192         /* of one expression               */
#define WN_CEL_SCRATCH (16u << 10)    /* bytes that one run may build    */
#define WN_CEL_STEPS_MAX (1u << 20)   /* elements that one run may visit */

/* --- types, as the checker sees them --- */

enum wn_cel_kind {
    WN_CEL_UNKNOWN = 0, /* values only: an absent signal         */
    WN_CEL_ERROR,       /* values only                           */
    WN_CEL_DYN,         /* types only: known when it is evaluated */
    WN_CEL_NULL,
    WN_CEL_BOOL,
    WN_CEL_INT,
    WN_CEL_UINT,
    WN_CEL_DOUBLE,
    WN_CEL_STRING,
    WN_CEL_LIST,
    WN_CEL_MAP,
    WN_CEL_KINDS
};

/* key is NULL but for maps, elem NULL but for lists and maps. */
struct wn_cel_type {
    enum wn_cel_kind kind;
    const struct wn_cel_type *key, *elem;
};
/* The types without parameters, by kind; list and map are those of dyn. */
extern const struct wn_cel_type wn_cel_types[WN_CEL_KINDS];
extern const struct wn_cel_type wn_cel_list_string, wn_cel_map_string;

/* cel_type.c. Writes "list(string)" and the like; returns buf. */
const char *wn_cel_type_text(
    const struct wn_cel_type *type, char *buf, size_t len);
bool wn_cel_numeric(const struct wn_cel_type *t);
/* Of the kind, or dyn. */
bool wn_cel_is_kind(const struct wn_cel_type *t, enum wn_cel_kind kind);
/* May a value of one be a value of the other? */
bool wn_cel_agree(const struct wn_cel_type *a, const struct wn_cel_type *b);
bool wn_cel_same_type(const struct wn_cel_type *a, const struct wn_cel_type *b);
/* May == and != compare them; may < and the like? */
bool wn_cel_equatable(const struct wn_cel_type *a, const struct wn_cel_type *b);
bool wn_cel_orderable(const struct wn_cel_type *a, const struct wn_cel_type *b);

/* --- values --- */

struct wn_cel_value {
    enum wn_cel_kind kind;
    bool foreign; /* the elements are struct wn_value, map keys wn_str */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        struct wn_str s;
        const char *why; /* of an error: a constant */
        struct {
            const void *v, *keys;
            size_t n;
        } seq; /* list, map */
    };
};

struct wn_cel_run {
    const struct wn_value *vars; /* by the index that the env gave */
    size_t steps;                /* elements visited so far        */
    size_t used;
    alignas(16) unsigned char scratch[WN_CEL_SCRATCH];
};

/* cel_value.c. None of these allocates but wn_cel_scratch(). */
void wn_cel_run_init(struct wn_cel_run *run, const struct wn_value *vars);
/* NULL once the scratch is used up. */
void *wn_cel_scratch(struct wn_cel_run *run, size_t bytes);
struct wn_cel_value wn_cel_error(const char *why);
struct wn_cel_value wn_cel_from(const struct wn_value *v);
struct wn_cel_value wn_cel_at(const struct wn_cel_value *list, size_t i);
struct wn_cel_value wn_cel_key_at(const struct wn_cel_value *map, size_t i);
/* bool, or an error when the run has no steps left. */
struct wn_cel_value wn_cel_equal(struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *b);
/* The value under key, an error where there is none. */
struct wn_cel_value wn_cel_lookup(struct wn_cel_run *run,
    const struct wn_cel_value *map, const struct wn_cel_value *key);
struct wn_cel_value wn_cel_in(struct wn_cel_run *run,
    const struct wn_cel_value *elem, const struct wn_cel_value *seq);
/*
 * Order of two numbers, strings or bools: -1, 0, 1; 2 when a NaN makes them
 * unordered; WN_CEL_NO_ORDER for anything else.
 */
#define WN_CEL_NO_ORDER 3
int wn_cel_order(const struct wn_cel_value *a, const struct wn_cel_value *b);

/* --- tokens (cel_lex.c) --- */

enum wn_cel_token_kind {
    WN_TOK_END,
    WN_TOK_NAME,   /* an identifier; text is it                  */
    WN_TOK_QUOTED, /* `a name in backticks`; text is what is inside */
    WN_TOK_CONST,  /* value is it; INT may still want its sign   */
    WN_TOK_INT,    /* magnitude in value.u: the sign decides its range */
    WN_TOK_OP,     /* op is it; text is how it is written        */
};

enum wn_cel_op {
    /* leaves */
    WN_OP_CONST,
    WN_OP_VAR,     /* index                                       */
    WN_OP_HAS_VAR, /* index: is the variable known                */
    WN_OP_NAME,    /* before the check only                       */
    /* one operand */
    WN_OP_SELECT,
    WN_OP_HAS,
    WN_OP_NOT,
    WN_OP_NEG,
    /* two operands */
    WN_OP_INDEX,
    WN_OP_EQ,
    WN_OP_NE,
    WN_OP_LT,
    WN_OP_LE,
    WN_OP_GT,
    WN_OP_GE,
    WN_OP_IN,
    WN_OP_ADD,
    WN_OP_SUB,
    WN_OP_MUL,
    WN_OP_DIV,
    WN_OP_MOD,
    /* three */
    WN_OP_COND,
    /* any number */
    WN_OP_AND,
    WN_OP_OR,
    WN_OP_LIST,
    WN_OP_MAP, /* key, value, key, value, ... */
    WN_OP_CALL,
    /* tokens that are no operator of a tree */
    WN_OP_OPEN,
    WN_OP_CLOSE,
    WN_OP_OPEN_INDEX,
    WN_OP_CLOSE_INDEX,
    WN_OP_OPEN_MAP,
    WN_OP_CLOSE_MAP,
    WN_OP_DOT,
    WN_OP_COMMA,
    WN_OP_COLON,
};

struct wn_cel_token {
    enum wn_cel_token_kind kind;
    enum wn_cel_op op;
    struct wn_str text; /* lies in the source, or for names in quotes too */
    struct wn_cel_value value;
    size_t at; /* byte offset in the source */
};

struct wn_cel_lexer {
    const char *src;
    size_t len, pos;
    const char *what;       /* "when": what errors call the source */
    struct wn_arena *arena; /* strings with escapes are copied here */
    struct wn_err *err;
};

enum wn_status wn_cel_next(struct wn_cel_lexer *lx, struct wn_cel_token *ret);
/* Fails with "column C of WHAT: ...": C counts characters from 1. */
enum wn_status wn_cel_fail(const struct wn_cel_lexer *lx, size_t at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- the tree --- */

struct wn_cel_fn; /* cel_fn.c */

struct wn_cel_node {
    enum wn_cel_op op;
    uint32_t at; /* byte offset in the source */
    uint32_t index;
    uint32_t depth; /* height of the tree under it, 1 for a leaf */
    uint32_t kids_n;
    bool member; /* of a call: kids[0] stood before the dot */
    struct wn_cel_node **kids;
    const struct wn_cel_type *type; /* set by the check */
    const struct wn_cel_fn *fn;     /* of a call: set by the check */
    struct wn_cel_value value;      /* of a constant */
    struct wn_str name;             /* of NAME, SELECT, HAS and CALL */
};

/* What a name may stand for. */
struct wn_cel_var {
    const char *name; /* dotted */
    const struct wn_cel_type *type;
};
struct wn_cel_env {
    const struct wn_cel_var *vars;
    size_t n;
};

/* cel_parse.c: syntax only. */
enum wn_status wn_cel_parse(struct wn_cel_node **ret, struct wn_cel_lexer *lx);

/*
 * cel_check.c: parse, resolve names, check types. *ret lies in arena. scans
 * grows by the number of operations that may read a whole text.
 */
enum wn_status wn_cel_compile(const struct wn_cel_node **ret,
    struct wn_arena *arena, const char *src, size_t len, const char *what,
    const struct wn_cel_env *env, size_t *scans, struct wn_err *err);

/* cel_eval.c: of the kind UNKNOWN or ERROR where there is no value. */
struct wn_cel_value wn_cel_eval(
    const struct wn_cel_node *node, struct wn_cel_run *run);

/* --- functions (cel_fn.c): one row an overload --- */

#define WN_CEL_ARGS_MAX 3
struct wn_cel_fn {
    const char *name;
    bool member; /* written a.f(b): a is the first argument */
    bool scans;  /* may read all of a text                   */
    uint8_t args_n;
    enum wn_cel_kind args[WN_CEL_ARGS_MAX]; /* DYN takes anything */
    enum wn_cel_kind ret;
    /* Arguments are values of the kinds above, checked by the caller. */
    struct wn_cel_value (*call)(
        struct wn_cel_run *run, const struct wn_cel_value *args);
};
extern const struct wn_cel_fn wn_cel_fns[];
extern const size_t wn_cel_fns_n;
/* A function or macro of the standard that this version does not have. */
bool wn_cel_fn_later(struct wn_str name);

#endif
