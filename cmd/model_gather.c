/*
 * Gathering tensors; see model_gather.h.
 *
 * The index of shards is by a stranger: a shard is a plain name in the folder
 * itself, and a tensor has to be in the shard that the index names. Every file
 * stays mapped until the new one is written, from the mappings.
 */
#include "cmd/model_gather.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "model/config.h"
#include "model/safetensors.h"

#define SHARDS_MAX 1024
#define INDEX "model.safetensors.index.json"

struct gather {
    const char *dir;
    const json_t *map;
    bool *fits; /* of each row of map: has it been of use? */
    struct wn_arena arena;
    const char *names[SHARDS_MAX];
    struct wn_safetensors *files[SHARDS_MAX];
    size_t files_n;
    struct wn_tensor *tensors;
    size_t n, cap;
};

/* --- names --- */

static size_t
stars(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += *s == '*';
    return n;
}

enum wn_status
wn_model_map_read(json_t **ret, const char *path, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    json_error_t why;
    json_t *map = json_load_file(path, JSON_REJECT_DUPLICATES, &why), *v;
    const char *name;

    if (map == NULL && why.line > 0)
        return wn_fail(err, WN_REJECT, "%s:%d: %s", path, why.line, why.text);
    if (!json_is_object(map)) {
        rc = wn_fail(err, WN_REJECT, "%s: %s", path,
            map == NULL ? why.text : "is not an object of names");
        json_decref(map);
        return rc;
    }
    json_object_foreach(map, name, v)
    {
        const char *to = json_string_value(v);

        if (rc == WN_OK && (to == NULL || to[0] == '\0' || stars(name) > 1 ||
                               stars(to) > stars(name)))
            rc = wn_fail(err, WN_REJECT,
                "%s: '%.100s': not a name, with at most one * on each side",
                path, name);
    }
    if (rc == WN_OK)
        *ret = map;
    else
        json_decref(map);
    return rc;
}

/* What the star of `pattern` stands for in name; false: it does not fit. */
static bool
fit(const char *pattern, const char *name, const char **ret, size_t *ret_len)
{
    const char *star = strchr(pattern, '*');
    size_t len = strlen(name), before, after;

    *ret = "";
    *ret_len = 0;
    if (star == NULL)
        return strcmp(pattern, name) == 0;
    before = (size_t)(star - pattern);
    after = strlen(star + 1);
    if (len < before + after || strncmp(name, pattern, before) != 0 ||
        strcmp(name + len - after, star + 1) != 0)
        return false;
    *ret = name + before;
    *ret_len = len - before - after;
    return true;
}

/* The tensor's name as the map has it; NULL without memory. */
static const char *
map_name(struct gather *g, const char *name)
{
    const char *pattern, *part;
    size_t row = 0, len;
    json_t *v;

    json_object_foreach((json_t *)g->map, pattern, v)
    {
        const char *to = json_string_value(v), *star = strchr(to, '*');

        if (fit(pattern, name, &part, &len)) {
            g->fits[row] = true;
            if (star == NULL)
                return wn_arena_strndup(&g->arena, to, strlen(to));
            return wn_arena_printf(&g->arena, "%.*s%.*s%s", (int)(star - to),
                to, (int)len, part, star + 1);
        }
        row++;
    }
    return wn_arena_strndup(&g->arena, name, strlen(name));
}

static enum wn_status
check_map(const struct gather *g, struct wn_err *err)
{
    const char *pattern;
    size_t row = 0;
    json_t *v;

    json_object_foreach((json_t *)g->map, pattern, v)
    {
        if (!g->fits[row++])
            return wn_fail(err, WN_REJECT,
                "--map: '%.100s' fits no tensor, or rows before it take what "
                "it fits",
                pattern);
    }
    return WN_OK;
}

/* --- tensors --- */

static enum wn_status
open_file(struct gather *g, const char *name, size_t *ret, struct wn_err *err)
{
    char path[PATH_MAX];
    enum wn_status rc;
    size_t i = 0;

    while (i < g->files_n && strcmp(g->names[i], name) != 0)
        i++;
    *ret = i;
    if (i < g->files_n)
        return WN_OK;
    if (i == SHARDS_MAX || strchr(name, '/') != NULL || name[0] == '.')
        return wn_fail(err, WN_REJECT,
            INDEX
            ": '%.100s' is not the name of one of at most %d files beside "
            "it",
            name, SHARDS_MAX);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", g->dir, name) >=
        sizeof(path))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", g->dir);
    rc = wn_safetensors_open(&g->files[i], path, err);
    if (rc == WN_OK)
        g->names[g->files_n++] = name;
    return rc;
}

static enum wn_status
add(struct gather *g, const struct wn_tensor *t, struct wn_err *err)
{
    if (g->n == g->cap) {
        size_t cap = g->cap == 0 ? 512 : 2 * g->cap;
        struct wn_tensor *p = realloc(g->tensors, cap * sizeof(*p));

        if (p == NULL)
            return wn_fail(err, WN_STOP, "out of memory");
        g->tensors = p;
        g->cap = cap;
    }
    g->tensors[g->n] = *t;
    g->tensors[g->n].name = map_name(g, t->name);
    if (g->tensors[g->n++].name == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    return WN_OK;
}

static enum wn_status
add_whole(struct gather *g, struct wn_err *err)
{
    size_t file;
    enum wn_status rc = open_file(g, "model.safetensors", &file, err);

    for (size_t i = 0; rc == WN_OK && i < wn_safetensors_n(g->files[0]); i++)
        rc = add(g, wn_safetensors_at(g->files[0], i), err);
    return rc;
}

static enum wn_status
add_shard(
    struct gather *g, const char *name, const json_t *file, struct wn_err *err)
{
    const struct wn_tensor *t;
    enum wn_status rc;
    size_t i;

    if (!json_is_string(file))
        return wn_fail(err, WN_REJECT,
            INDEX ": weight_map: '%.100s' is not the name of a file", name);
    rc = open_file(g, json_string_value(file), &i, err);
    if (rc != WN_OK)
        return rc;
    t = wn_safetensors_find(g->files[i], name);
    if (t == NULL)
        return wn_fail(
            err, WN_REJECT, "%.100s: no tensor '%.100s'", g->names[i], name);
    return add(g, t, err);
}

static enum wn_status
add_shards(struct gather *g, const json_t *map, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    const char *name;
    json_t *file;

    if (!json_is_object(map))
        return wn_fail(err, WN_REJECT, INDEX ": no object 'weight_map'");
    json_object_foreach((json_t *)map, name, file)
    {
        if (rc == WN_OK)
            rc = add_shard(g, name, file, err);
    }
    return rc;
}

/* --- all of it --- */

static bool
has(const char *dir, const char *name)
{
    char path[PATH_MAX];

    return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) <
               sizeof(path) &&
           access(path, F_OK) == 0;
}

bool
wn_model_has_shards(const char *dir)
{
    return has(dir, INDEX) && !has(dir, "model.safetensors");
}

/* index: the caller's, whose strings are used. */
static enum wn_status
add_all(struct gather *g, json_t **index, struct wn_err *err)
{
    enum wn_status rc;

    g->fits = wn_arena_zalloc(&g->arena, json_object_size(g->map) + 1);
    if (g->fits == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    if (!wn_model_has_shards(g->dir)) {
        rc = add_whole(g, err);
    } else {
        rc = wn_config_load_json(index, g->dir, INDEX, false, err);
        if (rc == WN_OK)
            rc = add_shards(g, json_object_get(*index, "weight_map"), err);
    }
    return rc == WN_OK ? check_map(g, err) : rc;
}

enum wn_status
wn_model_gather(const char *dir, const char *out_dir, const json_t *map,
    size_t *ret_files, struct wn_err *err)
{
    struct gather *g = calloc(1, sizeof(*g));
    char path[PATH_MAX];
    json_t *index = NULL;
    enum wn_status rc;

    if (g == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    g->dir = dir;
    g->map = map;
    wn_arena_init(&g->arena, 1u << 16, 1u << 28);
    rc = add_all(g, &index, err);
    if (rc == WN_OK && (size_t)snprintf(path, sizeof(path),
                           "%s/model.safetensors", out_dir) >= sizeof(path))
        rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", out_dir);
    if (rc == WN_OK)
        rc = wn_safetensors_write(path, g->tensors, g->n, err);
    *ret_files = g->files_n;
    for (size_t i = 0; i < g->files_n; i++)
        wn_safetensors_close(g->files[i]);
    free(g->tensors);
    wn_arena_release(&g->arena);
    json_decref(index);
    free(g);
    return rc;
}
