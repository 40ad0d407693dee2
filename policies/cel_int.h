/*
 * The expression language of rules: CEL (google/cel-spec) without protobuf
 * messages.
 *
 *   text --cel_lex.c--> tokens --cel_parse.c--> tree --cel_check.c--> typed
 *   tree with names resolved --cel_eval.c--> value
 *
 * A compiled expression is read-only; any number of threads may evaluate it,
 * each with its own struct wn_cel_run. What evaluation builds (a + of strings,
 * a list of computed elements) lies in the run: 16 KiB that are always there,
 * then an arena with a bound. Time is counted in steps, about 20 ns each: a
 * node evaluated, an element visited, 64 bytes read. The bound of an expression
 * is computed when it is compiled; a run that reaches it ends in an error.
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
#include "policies/lists.h"
#include "policies/policy.h"

#define WN_CEL_SOURCE_MAX (64u << 10) /* bytes of one expression         */
#define WN_CEL_NODES_MAX 8192         /* of one expression               */
#define WN_CEL_SCRATCH (16u << 10)    /* bytes of a run without malloc   */
#define WN_CEL_BUILD_MAX (8u << 20)   /* bytes that one run may build    */
#define WN_CEL_STEPS_MAX (1u << 20)   /* of one run: about 20 ms         */
#define WN_CEL_STEP_BYTES 64          /* of a text, read in one step     */
#define WN_CEL_LOCALS_MAX 160         /* variables of macros, nested     */
#define WN_CEL_LIST_STEPS 50          /* to look into a named list       */

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
    WN_CEL_BYTES,
    WN_CEL_LIST,
    WN_CEL_MAP,
    WN_CEL_TIMESTAMP,
    WN_CEL_DURATION,
    WN_CEL_TYPE,     /* int, type(x), ...                 */
    WN_CEL_OPTIONAL, /* optional.of(x), m.?key: of dyn    */
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

/* What an expression sees of a signal of that type. */
const struct wn_cel_type *wn_cel_signal_type(enum wn_signal_type type);
/* cel_type.c. Writes "list(string)" and the like; returns buf. */
const char *wn_cel_type_text(
    const struct wn_cel_type *type, char *buf, size_t len);
/* "int", "null_type", "google.protobuf.Timestamp": as the language has it. */
const char *wn_cel_type_name(enum wn_cel_kind kind);
bool wn_cel_type_find(const char *p, size_t len, enum wn_cel_kind *ret);
bool wn_cel_numeric(const struct wn_cel_type *t);
/* Of the kind, or dyn. */
bool wn_cel_is_kind(const struct wn_cel_type *t, enum wn_cel_kind kind);
/* May a value of one be a value of the other? */
bool wn_cel_agree(const struct wn_cel_type *a, const struct wn_cel_type *b);
bool wn_cel_same_type(const struct wn_cel_type *a, const struct wn_cel_type *b);
/* The type of both; dyn where they differ, b where a is NULL. */
const struct wn_cel_type *wn_cel_type_join(
    const struct wn_cel_type *a, const struct wn_cel_type *b);
/* May == and != compare them; may < and the like? */
bool wn_cel_equatable(const struct wn_cel_type *a, const struct wn_cel_type *b);
bool wn_cel_orderable(const struct wn_cel_type *a, const struct wn_cel_type *b);

/* --- values --- */

struct wn_cel_value {
    enum wn_cel_kind kind;
    bool foreign; /* the elements are struct wn_value, map keys wn_str */
    union {
        bool b;
        int64_t i; /* of a duration: nanoseconds */
        uint64_t u;
        double d;
        struct wn_str s; /* string, bytes */
        const char *why; /* of an error: a constant */
        struct {
            const void *v, *keys;
            size_t n;
        } seq; /* list, map */
        struct {
            int64_t s; /* since 1970, UTC */
            int32_t ns;
        } time;
        enum wn_cel_kind type;
        const struct wn_cel_value *opt; /* NULL: none */
    };
};

#define WN_CEL_TIME_MIN (-62135596800) /* 0001-01-01, in seconds */
#define WN_CEL_TIME_MAX 253402300799   /* 9999-12-31 */

struct wn_cel_run {
    const struct wn_value *vars;       /* by the index that the env gave */
    const struct wn_cel_value *values; /* instead, where not NULL */
    struct wn_lists *lists;            /* those of in_list(); NULL: none  */
    struct wn_list_set *taken;         /* of them, by the first in_list() */
    uint64_t steps, steps_max;
    bool spent;         /* steps_max was reached: every outcome is an error */
    size_t used, built; /* bytes: of scratch, of `more` */
    struct wn_arena more;
    struct wn_cel_value locals[WN_CEL_LOCALS_MAX];
    alignas(16) unsigned char scratch[WN_CEL_SCRATCH];
};

/* cel_value.c. None of these allocates but wn_cel_scratch(). */
void wn_cel_run_init(struct wn_cel_run *run, const struct wn_value *vars);
/* Ready for the next expression over the same variables. */
void wn_cel_run_reset(struct wn_cel_run *run);
void wn_cel_run_release(struct wn_cel_run *run);
/* Counts n steps; false, and for good, once there are too many. */
static inline bool
wn_cel_charge(struct wn_cel_run *run, uint64_t n)
{
    if (n > run->steps_max - run->steps) {
        run->spent = true;
        run->steps = run->steps_max;
    } else {
        run->steps += n;
    }
    return !run->spent;
}
static inline bool
wn_cel_charge_bytes(struct wn_cel_run *run, size_t n)
{
    return wn_cel_charge(run, n / WN_CEL_STEP_BYTES);
}
/* NULL once there is too much. */
void *wn_cel_scratch(struct wn_cel_run *run, size_t bytes);
struct wn_cel_value wn_cel_error(const char *why);
extern const char wn_cel_no_overload[], wn_cel_no_scratch[], wn_cel_no_steps[],
    wn_cel_overflow[];

static inline bool
wn_cel_no_value(const struct wn_cel_value *v)
{
    return v->kind <= WN_CEL_ERROR;
}
static inline struct wn_cel_value
wn_cel_bool(bool b)
{
    return (struct wn_cel_value){ .kind = WN_CEL_BOOL, .b = b };
}
static inline struct wn_cel_value
wn_cel_int(int64_t i)
{
    return (struct wn_cel_value){ .kind = WN_CEL_INT, .i = i };
}
static inline struct wn_cel_value
wn_cel_uint(uint64_t u)
{
    return (struct wn_cel_value){ .kind = WN_CEL_UINT, .u = u };
}
static inline struct wn_cel_value
wn_cel_double(double d)
{
    return (struct wn_cel_value){ .kind = WN_CEL_DOUBLE, .d = d };
}
static inline struct wn_cel_value
wn_cel_string(const char *p, size_t len)
{
    return (struct wn_cel_value){ .kind = WN_CEL_STRING, .s = { p, len } };
}
static inline struct wn_cel_value
wn_cel_list(const struct wn_cel_value *v, size_t n)
{
    struct wn_cel_value r = { .kind = WN_CEL_LIST };

    r.seq.v = v;
    r.seq.n = n;
    return r;
}

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
/* May it be the key of a map? */
bool wn_cel_is_key(const struct wn_cel_value *v);
/* A whole number from 0, of any number type. */
bool wn_cel_list_index(const struct wn_cel_value *v, size_t *ret);
/*
 * Order of two values of one type that has an order, or of two numbers: -1, 0,
 * 1; 2 when a NaN makes them unordered; WN_CEL_NO_ORDER for anything else.
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
    WN_OP_LOCAL,   /* index: a variable of a macro                */
    WN_OP_FAIL,    /* value: an error, where nothing is checked   */
    /* one operand */
    WN_OP_SELECT,
    WN_OP_HAS,
    WN_OP_NOT,
    WN_OP_NEG,
    WN_OP_ROOT,       /* .name: before the check only             */
    WN_OP_OPT_SELECT, /* a.?b                                     */
    WN_OP_OPT_ENTRY,  /* ?a in a list, k: of ?k: a in a map       */
    /* two operands */
    WN_OP_OPT_INDEX,    /* a[?i]                                  */
    WN_OP_OPT_OR,       /* a.or(b)                                */
    WN_OP_OPT_OR_VALUE, /* a.orValue(b)                           */
    WN_OP_BIND,         /* cel.bind(index, kids[0], kids[1])      */
    WN_OP_OPT_MAP,      /* kids[0].optMap(index, kids[1])         */
    WN_OP_OPT_FLAT_MAP,
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
    WN_OP_GREATEST, /* math.greatest(a, ...) */
    WN_OP_LEAST,
    /* a macro over kids[0]: a body, for some a condition before it */
    WN_OP_ALL,
    WN_OP_EXISTS,
    WN_OP_EXISTS_ONE,
    WN_OP_FILTER,
    WN_OP_MAP_LIST,      /* map(), transformList()              */
    WN_OP_MAP_MAP,       /* transformMap(): the keys stay       */
    WN_OP_MAP_MAP_ENTRY, /* transformMapEntry()                 */
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
    struct wn_err *err;     /* NULL: nobody asks why               */
};

enum wn_status wn_cel_next(struct wn_cel_lexer *lx, struct wn_cel_token *ret);
/* Fails with "column C of WHAT: ...": C counts characters from 1. */
enum wn_status wn_cel_fail(const struct wn_cel_lexer *lx, size_t at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- the tree --- */

struct wn_cel_fn;    /* cel_fn.c */
struct wn_cel_regex; /* cel_regex.c */

struct wn_cel_node {
    enum wn_cel_op op;
    uint32_t at; /* byte offset in the source */
    uint32_t index;
    uint32_t depth; /* height of the tree under it, 1 for a leaf */
    uint32_t kids_n;
    bool member; /* of a call: kids[0] stood before the dot */
    bool two;    /* of a macro: index and index + 1 are its variables */
    struct wn_cel_node **kids;
    const struct wn_cel_type *type;   /* set by the check */
    const struct wn_cel_fn *fn;       /* of a call: set by the check */
    const struct wn_cel_regex *regex; /* of matches() with a constant */
    uint64_t steps_max;               /* of the root: the cost bound */
    struct wn_cel_value value;        /* of a constant */
    struct wn_str name;               /* of NAME, SELECT, HAS and CALL */
};

/* What a name may stand for. */
struct wn_cel_var {
    const char *name; /* dotted */
    const struct wn_cel_type *type;
};
struct wn_cel_env {
    const struct wn_cel_var *vars;
    size_t n;
    bool unchecked; /* what would not check becomes an error in its place */
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

/*
 * cel_eval.c: of the kind UNKNOWN or ERROR where there is no value. node is
 * what wn_cel_compile() gave; lists and the like lie in the run.
 */
struct wn_cel_value wn_cel_eval(
    const struct wn_cel_node *node, struct wn_cel_run *run);

/* --- parts of the evaluation --- */

/* One node; depth is bounded by WN_POLICY_DEPTH_MAX. */
struct wn_cel_value wn_cel_eval_node(
    const struct wn_cel_node *node, struct wn_cel_run *run);
/* a[key] of a list, a map or an optional of them. */
struct wn_cel_value wn_cel_element(struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *key);
/* cel_arith.c: + - * / % and the unary minus. */
struct wn_cel_value wn_cel_arithmetic(enum wn_cel_op op, struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *b);
struct wn_cel_value wn_cel_negate(const struct wn_cel_value *v);
/* cel_loop.c: the macros over lists and maps. */
struct wn_cel_value wn_cel_eval_loop(
    const struct wn_cel_node *node, struct wn_cel_run *run);
/* cel_opt.c: optionals. */
struct wn_cel_value wn_cel_eval_optional(
    const struct wn_cel_node *node, struct wn_cel_run *run);
struct wn_cel_value wn_cel_some(
    struct wn_cel_run *run, const struct wn_cel_value *v);
struct wn_cel_value wn_cel_none(void);
/* a.?b and a[?b]: none where it is not there. */
struct wn_cel_value wn_cel_opt_element(struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *key);

/*
 * cel_regex.c: RE2 syntax to a program; NULL with *ret_why (a constant) set
 * where it is none or is too large. Lies in `arena`, or in the run where
 * arena is NULL.
 */
const struct wn_cel_regex *wn_cel_regex_new(struct wn_arena *arena,
    struct wn_cel_run *run, struct wn_str pattern, const char **ret_why);
size_t wn_cel_regex_size(const struct wn_cel_regex *re); /* instructions */
/* Does a part of the text match? Costs text times program at most. */
struct wn_cel_value wn_cel_regex_match(
    const struct wn_cel_regex *re, struct wn_cel_run *run, struct wn_str text);

/* --- the check, between its files --- */

struct wn_cel_local {
    struct wn_str name;
    const struct wn_cel_type *type;
};
struct wn_cel_checker {
    struct wn_cel_lexer *lx;
    const struct wn_cel_env *env;
    size_t *scans;
    struct wn_cel_run *run; /* for constant maps */
    struct wn_cel_local locals[WN_CEL_LOCALS_MAX];
    uint32_t locals_n;
};
enum wn_status wn_cel_check_node(
    struct wn_cel_checker *ck, struct wn_cel_node *n);
/* cel_check_op.c: literals, and operators whose kids are checked. */
enum wn_status wn_cel_check_list(
    struct wn_cel_checker *ck, struct wn_cel_node *n);
enum wn_status wn_cel_check_map(
    struct wn_cel_checker *ck, struct wn_cel_node *n);
enum wn_status wn_cel_check_operator(
    struct wn_cel_checker *ck, struct wn_cel_node *n);
/* The variable of a macro that the name stands for. */
bool wn_cel_find_local(
    const struct wn_cel_checker *ck, struct wn_str name, uint32_t *ret);
/* cel_macro.c: *ret_is says whether the call is a macro; then it is checked. */
enum wn_status wn_cel_check_macro(
    struct wn_cel_checker *ck, struct wn_cel_node *n, bool *ret_is);
/* cel_cost.c: steps that no evaluation of the checked tree exceeds while
 * texts are at most 1 MiB and the post has at most 1 MiB in all. */
uint64_t wn_cel_cost(const struct wn_cel_node *node);

/* --- functions (cel_fn.c): one row an overload --- */

#define WN_CEL_ARGS_MAX 4
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
/* Overloads of one name and form stand together: the first, or NULL. */
const struct wn_cel_fn *wn_cel_fn_find(struct wn_str name, bool member);
/* Whether a function is in a row of the same name and form as another. */
bool wn_cel_fn_same(const struct wn_cel_fn *a, const struct wn_cel_fn *b);

#endif
