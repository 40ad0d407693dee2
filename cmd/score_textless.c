/*
 * Lines of `winnow score --jsonl` that have no text: a member called "body"
 * is as good JSON as any, has nothing to score and is allowed. The answer is
 * as the contract says; the end says on standard error how many there were and
 * which members they had. Any thread; `lock` guards all of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmd/score_int.h"
#include "cmd/tools.h"

void
wn_textless_init(struct wn_textless *t)
{
    memset(t, 0, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
}

void
wn_textless_release(struct wn_textless *t)
{
    pthread_mutex_destroy(&t->lock);
}

static void
add_name(struct wn_textless *t, const char *name)
{
    char cut[WN_TEXTLESS_NAME];

    snprintf(cut, sizeof(cut), "%s", name);
    for (size_t i = 0; i < t->names_n; i++)
        if (strcmp(t->names[i], cut) == 0)
            return;
    if (t->names_n == WN_TEXTLESS_NAMES)
        t->more = true;
    else
        strcpy(t->names[t->names_n++], cut);
}

/* The object that should have had a text; NULL where the post may well have
 * none on purpose: a null, media only, an envelope (whose posts without both
 * are errors by themselves). */
static json_t *
lacking(json_t *root)
{
    json_t *value = json_object_get(root, "text");
    const char *key;

    if (json_is_null(value) || json_is_string(value) ||
        json_array_size(json_object_get(root, "media")) > 0)
        return NULL;
    json_object_foreach(root, key, value)
    {
        if (json_is_object(value))
            return NULL;
    }
    return root;
}

void
wn_textless_look(struct wn_textless *t, const struct wn_item *item)
{
    bool dead = item->outcome == WN_DEAD, had = item->post.text.p != NULL;
    json_t *root = dead || had ? NULL
                               : json_loadb(item->rec.raw.p, item->rec.raw.len,
                                     JSON_ALLOW_NUL, NULL);
    json_t *object = lacking(root), *value;
    const char *key;

    pthread_mutex_lock(&t->lock);
    t->lines++;
    t->without += object != NULL;
    json_object_foreach(object, key, value)
    {
        add_name(t, key);
    }
    pthread_mutex_unlock(&t->lock);
    json_decref(root);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void
wn_textless_tell(struct wn_textless *t)
{
    struct wn_buf out;

    if (t->without == 0)
        return;
    qsort(t->names, t->names_n, sizeof(t->names[0]), by_name);
    wn_buf_init(&out, 1u << 16);
    for (size_t i = 0; i < t->names_n; i++) {
        wn_buf_str(&out, i == 0 ? "" : ", ");
        wn_cmd_plain(&out, (struct wn_str){ t->names[i], strlen(t->names[i]) },
            WN_TEXTLESS_NAME);
    }
    wn_cmd_fail(0, "score",
        "note: %llu of %llu lines had no \"text\"; members seen: %.*s%s",
        (unsigned long long)t->without, (unsigned long long)t->lines,
        (int)out.len, out.len > 0 ? out.data : "", t->more ? ", ..." : "");
    wn_buf_release(&out);
}
