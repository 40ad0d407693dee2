/*
 * Runs conformance cases of the expression language: cel-conformance FOLDER.
 *
 * The folder's *.json are lists of {name, expr, bindings?, declares?,
 * disable_check?, value | error: true} with tagged values ({"int": "1"}, ...).
 * Prints what passed per file and every failing case with what was expected
 * and what came, ends with "N passed, N failed", exits 0 only if all passed.
 * A case that cannot be run has failed. A parse error never passes; "error"
 * wants an evaluation error, or a check error where checking is on.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/buf.h"
#include "policies/cel_int.h"

#define VARS_MAX 64
#define DEPTH_MAX 64

struct counts {
    unsigned passed, failed;
};

/* What one case lives on. */
struct scene {
    struct wn_arena arena;
    struct wn_cel_var vars[VARS_MAX];
    struct wn_cel_value values[VARS_MAX];
    struct wn_cel_env env;
};

/* --- tagged values to values --- */

static bool read_value(
    struct scene *sc, json_t *j, unsigned depth, struct wn_cel_value *ret);

/* Standard base64; -1 for what is none. */
static int
base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c == '\0' ? NULL : strchr(digits, c);

    return p == NULL ? -1 : (int)(p - digits);
}

static bool
read_bytes(struct scene *sc, json_t *j, struct wn_cel_value *ret)
{
    const char *s = json_string_value(j);
    size_t n = json_string_length(j), len = 0;
    char *out = wn_arena_alloc(&sc->arena, n + 1);
    uint32_t bits = 0;
    unsigned have = 0;

    if (s == NULL || out == NULL)
        return false;
    for (; n > 0 && s[n - 1] == '='; n--)
        ;
    for (size_t i = 0; i < n; i++) {
        int d = base64_digit(s[i]);

        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have & 0xff);
        }
    }
    *ret = (struct wn_cel_value){ .kind = WN_CEL_BYTES, .s = { out, len } };
    return true;
}

static bool
read_string(struct scene *sc, json_t *j, struct wn_cel_value *ret)
{
    size_t n = json_string_length(j);
    char *p = json_is_string(j)
                  ? wn_arena_strndup(&sc->arena, json_string_value(j), n)
                  : NULL;

    *ret = (struct wn_cel_value){ .kind = WN_CEL_STRING, .s = { p, n } };
    return p != NULL;
}

static bool
read_number(const char *tag, json_t *j, struct wn_cel_value *ret)
{
    const char *s = json_string_value(j);
    char *end = NULL;

    if (s == NULL || s[0] == '\0')
        return false;
    errno = 0;
    if (strcmp(tag, "int") == 0)
        *ret = (struct wn_cel_value){ .kind = WN_CEL_INT,
            .i = strtoll(s, &end, 10) };
    else if (strcmp(tag, "uint") == 0)
        *ret = (struct wn_cel_value){ .kind = WN_CEL_UINT,
            .u = strtoull(s, &end, 10) };
    else
        *ret = (struct wn_cel_value){ .kind = WN_CEL_DOUBLE,
            .d = strtod(s, &end) };
    return *end == '\0' && (errno == 0 || ret->kind == WN_CEL_DOUBLE);
}

static bool
read_list(struct scene *sc, json_t *j, unsigned depth, struct wn_cel_value *ret)
{
    size_t n = json_array_size(j);
    struct wn_cel_value *v = wn_arena_array(&sc->arena, n + 1, sizeof(*v));

    if (!json_is_array(j) || v == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_value(sc, json_array_get(j, i), depth, &v[i]))
            return false;
    *ret = (struct wn_cel_value){ .kind = WN_CEL_LIST };
    ret->seq.v = v;
    ret->seq.n = n;
    return true;
}

/* [[key, value], ...] */
static bool
read_map(struct scene *sc, json_t *j, unsigned depth, struct wn_cel_value *ret)
{
    size_t n = json_array_size(j);
    struct wn_cel_value *v = wn_arena_array(&sc->arena, n + 1, sizeof(*v));
    struct wn_cel_value *keys = wn_arena_array(&sc->arena, n + 1, sizeof(*v));

    if (!json_is_array(j) || v == NULL || keys == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        json_t *pair = json_array_get(j, i);

        if (!read_value(sc, json_array_get(pair, 0), depth, &keys[i]) ||
            !read_value(sc, json_array_get(pair, 1), depth, &v[i]))
            return false;
    }
    *ret = (struct wn_cel_value){ .kind = WN_CEL_MAP };
    ret->seq.v = v;
    ret->seq.keys = keys;
    ret->seq.n = n;
    return true;
}

static bool
read_type(json_t *j, struct wn_cel_value *ret)
{
    const char *s = json_string_value(j);

    *ret = (struct wn_cel_value){ .kind = WN_CEL_TYPE };
    return s != NULL && wn_cel_type_find(s, strlen(s), &ret->type);
}

/* False for a tag or a form that nobody has described. */
static bool
read_value(
    struct scene *sc, json_t *j, unsigned depth, struct wn_cel_value *ret)
{
    void *iter = json_object_iter(j);
    const char *tag = iter == NULL ? "" : json_object_iter_key(iter);
    json_t *v = iter == NULL ? NULL : json_object_iter_value(iter);

    if (json_object_size(j) != 1 || depth == 0)
        return false;
    depth--;
    if (strcmp(tag, "int") == 0 || strcmp(tag, "uint") == 0 ||
        strcmp(tag, "double") == 0)
        return read_number(tag, v, ret);
    if (strcmp(tag, "string") == 0)
        return read_string(sc, v, ret);
    if (strcmp(tag, "bytes") == 0)
        return read_bytes(sc, v, ret);
    if (strcmp(tag, "list") == 0)
        return read_list(sc, v, depth, ret);
    if (strcmp(tag, "map") == 0)
        return read_map(sc, v, depth, ret);
    if (strcmp(tag, "type") == 0)
        return read_type(v, ret);
    if (strcmp(tag, "null") == 0) {
        *ret = (struct wn_cel_value){ .kind = WN_CEL_NULL };
        return true;
    }
    *ret = (struct wn_cel_value){ .kind = WN_CEL_BOOL, .b = json_is_true(v) };
    return strcmp(tag, "bool") == 0 && json_is_boolean(v);
}

/* --- comparing: stricter than ==, kinds and signs of zero count --- */

static bool same(const struct wn_cel_value *a, const struct wn_cel_value *b);

static bool
same_lists(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    for (size_t i = 0; i < a->seq.n; i++) {
        struct wn_cel_value x = wn_cel_at(a, i), y = wn_cel_at(b, i);

        if (!same(&x, &y))
            return false;
    }
    return true;
}

/* In any order; keys are unique. */
static bool
same_maps(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    for (size_t i = 0; i < a->seq.n; i++) {
        struct wn_cel_value key = wn_cel_key_at(a, i), x = wn_cel_at(a, i);
        bool found = false;

        for (size_t k = 0; k < b->seq.n && !found; k++) {
            struct wn_cel_value other = wn_cel_key_at(b, k);
            struct wn_cel_value y = wn_cel_at(b, k);

            found = same(&key, &other) && same(&x, &y);
        }
        if (!found)
            return false;
    }
    return true;
}

static bool
same(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case WN_CEL_NULL:
        return true;
    case WN_CEL_BOOL:
        return a->b == b->b;
    case WN_CEL_INT:
    case WN_CEL_DURATION:
        return a->i == b->i;
    case WN_CEL_UINT:
        return a->u == b->u;
    case WN_CEL_DOUBLE:
        return isnan(a->d) ? isnan(b->d)
                           : a->d == b->d && signbit(a->d) == signbit(b->d);
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return a->s.len == b->s.len &&
               (a->s.len == 0 || memcmp(a->s.p, b->s.p, a->s.len) == 0);
    case WN_CEL_TYPE:
        return a->type == b->type;
    case WN_CEL_LIST:
        return a->seq.n == b->seq.n && same_lists(a, b);
    case WN_CEL_MAP:
        return a->seq.n == b->seq.n && same_maps(a, b);
    default:
        return false;
    }
}

/* --- showing --- */

static void
show_text(struct wn_buf *out, char mark, struct wn_str s)
{
    wn_buf_printf(out, "%c\"", mark);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < ' ' || c == '"' || c == '\\' || c == 0x7f || mark == 'b')
            wn_buf_printf(out, "\\x%02x", c);
        else
            wn_buf_char(out, (char)c);
    }
    wn_buf_char(out, '"');
}

static void
show(struct wn_buf *out, const struct wn_cel_value *v)
{
    switch (v->kind) {
    case WN_CEL_UNKNOWN:
        wn_buf_str(out, "unknown");
        return;
    case WN_CEL_ERROR:
        wn_buf_printf(out, "error: %s", v->why);
        return;
    case WN_CEL_NULL:
        wn_buf_str(out, "null");
        return;
    case WN_CEL_BOOL:
        wn_buf_str(out, v->b ? "true" : "false");
        return;
    case WN_CEL_INT:
        wn_buf_printf(out, "%" PRId64, v->i);
        return;
    case WN_CEL_UINT:
        wn_buf_printf(out, "%" PRIu64 "u", v->u);
        return;
    case WN_CEL_DOUBLE:
        wn_buf_printf(out, "%.17g (double)", v->d);
        return;
    case WN_CEL_STRING:
        show_text(out, ' ', v->s);
        return;
    case WN_CEL_BYTES:
        show_text(out, 'b', v->s);
        return;
    case WN_CEL_TYPE:
        wn_buf_printf(out, "type %s", wn_cel_type_name(v->type));
        return;
    case WN_CEL_LIST:
    case WN_CEL_MAP:
        break;
    default:
        wn_buf_printf(out, "a %s", wn_cel_type_name(v->kind));
        return;
    }
    wn_buf_char(out, v->kind == WN_CEL_LIST ? '[' : '{');
    for (size_t i = 0; i < v->seq.n; i++) {
        struct wn_cel_value e = wn_cel_at(v, i);

        wn_buf_str(out, i == 0 ? "" : ", ");
        if (v->kind == WN_CEL_MAP) {
            struct wn_cel_value key = wn_cel_key_at(v, i);

            show(out, &key);
            wn_buf_str(out, ": ");
        }
        show(out, &e);
    }
    wn_buf_char(out, v->kind == WN_CEL_LIST ? ']' : '}');
}

/* --- one case --- */

static bool
declare(struct scene *sc, const char *name)
{
    for (size_t i = 0; i < sc->env.n; i++)
        if (strcmp(sc->vars[i].name, name) == 0)
            return true;
    if (sc->env.n == VARS_MAX)
        return false;
    sc->vars[sc->env.n] =
        (struct wn_cel_var){ name, &wn_cel_types[WN_CEL_DYN] };
    sc->values[sc->env.n++] = (struct wn_cel_value){ .kind = WN_CEL_UNKNOWN };
    return true;
}

/* What is declared and what is bound; one without a value is unknown. */
static bool
set_scene(struct scene *sc, json_t *c)
{
    json_t *bindings = json_object_get(c, "bindings"), *value;
    json_t *declares = json_object_get(c, "declares");
    const char *name;

    sc->env.unchecked = json_is_true(json_object_get(c, "disable_check"));
    for (size_t i = 0; i < json_array_size(declares); i++) {
        name = json_string_value(json_array_get(declares, i));
        if (name == NULL || !declare(sc, name))
            return false;
    }
    json_object_foreach(bindings, name, value)
    {
        if (!declare(sc, name))
            return false;
        for (size_t i = 0; i < sc->env.n; i++)
            if (strcmp(sc->vars[i].name, name) == 0 &&
                !read_value(sc, value, DEPTH_MAX, &sc->values[i]))
                return false;
    }
    return true;
}

/* Evaluates; what went wrong goes to out. */
static bool
judge(struct scene *sc, json_t *c, const struct wn_cel_node *node,
    struct wn_buf *out)
{
    static struct wn_cel_run run;
    struct wn_cel_value want, got;
    bool error = json_is_true(json_object_get(c, "error")), ok;

    wn_cel_run_init(&run, NULL);
    run.values = sc->values;
    got = wn_cel_eval(node, &run);
    if (error) {
        ok = got.kind == WN_CEL_ERROR;
        wn_buf_str(out, ok ? "" : "expected an error, got ");
    } else if (!read_value(sc, json_object_get(c, "value"), DEPTH_MAX, &want)) {
        ok = false;
        wn_buf_str(out, "the case's value cannot be read, got ");
    } else {
        ok = same(&want, &got);
        if (!ok) {
            wn_buf_str(out, "expected ");
            show(out, &want);
            wn_buf_str(out, ", got ");
        }
    }
    if (!ok)
        show(out, &got);
    wn_cel_run_release(&run);
    return ok;
}

static bool
run_case(struct scene *sc, json_t *c, struct wn_buf *out)
{
    json_t *expr = json_object_get(c, "expr");
    struct wn_err err = { "" };
    struct wn_cel_lexer lx = { .src = json_string_value(expr),
        .len = json_string_length(expr),
        .what = "expr",
        .arena = &sc->arena,
        .err = &err };
    struct wn_cel_node *tree;
    const struct wn_cel_node *node;
    size_t scans = 0;

    if (lx.src == NULL || !set_scene(sc, c)) {
        wn_buf_str(out, "the case cannot be read");
        return false;
    }
    if (wn_cel_parse(&tree, &lx) != WN_OK) {
        wn_buf_printf(out, "parse error: %s", err.text);
        return false;
    }
    if (wn_cel_compile(&node, &sc->arena, lx.src, lx.len, "expr", &sc->env,
            &scans, &err) != WN_OK) {
        wn_buf_printf(out, "check error: %s", err.text);
        return json_is_true(json_object_get(c, "error")) && !sc->env.unchecked;
    }
    return judge(sc, c, node, out);
}

/* --- a file, a folder --- */

static void
run_cases(json_t *cases, const char *file, struct counts *all)
{
    struct counts n = { 0, 0 };
    struct scene *sc = calloc(1, sizeof(*sc));
    struct wn_buf out;

    if (sc == NULL)
        abort();
    wn_buf_init(&out, 1u << 20);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *c = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(c, "name"));

        wn_arena_init(&sc->arena, 4096, 64u << 20);
        sc->env = (struct wn_cel_env){ .vars = sc->vars };
        wn_buf_reset(&out);
        if (run_case(sc, c, &out)) {
            n.passed++;
        } else {
            n.failed++;
            printf("FAIL %s: %s\n    %s\n", name == NULL ? "?" : name,
                out.len > 0 ? out.data : "",
                json_string_value(json_object_get(c, "expr")));
        }
        wn_arena_release(&sc->arena);
    }
    printf("%s: %u passed, %u failed\n", file, n.passed, n.failed);
    all->passed += n.passed;
    all->failed += n.failed;
    wn_buf_release(&out);
    free(sc);
}

/* A file that is no list of cases counts as one failed case. */
static void
run_file(const char *folder, const char *file, struct counts *all)
{
    char path[4096];
    json_error_t why;
    json_t *cases = NULL;

    if (snprintf(path, sizeof(path), "%s/%s", folder, file) < (int)sizeof(path))
        cases = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (json_is_array(cases)) {
        run_cases(cases, file, all);
    } else {
        printf("FAIL %s: not a list of cases\n", file);
        all->failed++;
    }
    json_decref(cases);
}

static int
is_json(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

int
main(int argc, char **argv)
{
    struct counts all = { 0, 0 };
    struct dirent **files;
    int n;

    if (argc != 2) {
        fprintf(stderr, "usage: cel-conformance FOLDER\n");
        return 2;
    }
    n = scandir(argv[1], &files, is_json, alphasort);
    if (n <= 0) {
        fprintf(stderr, "cel-conformance: %s: %s\n", argv[1],
            n < 0 ? strerror(errno) : "no *.json there");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        run_file(argv[1], files[i]->d_name, &all);
        free(files[i]);
    }
    free(files);
    printf("%u passed, %u failed\n", all.passed, all.failed);
    return all.failed == 0 ? 0 : 1;
}
