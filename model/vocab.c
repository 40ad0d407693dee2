/*
 * The vocabulary's hash table: open addressing, at most half full.
 *
 * The hash runs over a piece from its first byte on, so one pass over a word
 * gives the hash of each of its beginnings, and the longest match costs one
 * probe for each, from the longest down. No piece is longer than longest_len
 * bytes, which bounds that by a constant for each character of the text.
 */
#include "model/vocab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <unicode/utf8.h>

#include "model/unicode.h"

#define PIECE_MAX 512 /* bytes; the longest of BERT's own has 18 */
#define LINE_MAX_LEN (4 * PIECE_MAX) /* with white space at its end */
#define FILE_BYTES_MAX (64u << 20)
#define ID_MAX (1 << 24)

struct entry {
    uint64_t hash;
    uint32_t at, len; /* in bytes[] */
    int32_t id;       /* -1: free   */
    bool cont;
};

struct wn_vocab {
    struct entry *entries;
    size_t cap, n; /* cap is a power of two */
    char *bytes;
    size_t bytes_n, bytes_cap;
    size_t longest_len;
    size_t size;
};

/* FNV-1a; continuations start from another number. */
static uint64_t
hash_start(bool cont)
{
    return cont ? UINT64_C(0x9ae16a3b2f90404f) : UINT64_C(0xcbf29ce484222325);
}

static uint64_t
hash_step(uint64_t hash, char c)
{
    return (hash ^ (uint8_t)c) * UINT64_C(0x100000001b3);
}

static uint64_t
hash_all(const char *p, size_t len, bool cont)
{
    uint64_t hash = hash_start(cont);

    for (size_t i = 0; i < len; i++)
        hash = hash_step(hash, p[i]);
    return hash;
}

/* The piece's entry, or the free one where it would go. */
static struct entry *
probe(const struct wn_vocab *v, uint64_t hash, const char *p, size_t len,
    bool cont)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (v->cap - 1);

    for (;; i = (i + 1) & (v->cap - 1)) {
        struct entry *e = &v->entries[i];

        if (e->id < 0)
            return e;
        if (e->hash == hash && e->len == len && e->cont == cont &&
            memcmp(v->bytes + e->at, p, len) == 0)
            return e;
    }
}

static bool
grow_entries(struct wn_vocab *v)
{
    size_t cap = v->cap == 0 ? 1024 : 2 * v->cap;
    struct entry *old = v->entries, *entries;
    size_t old_cap = v->cap;

    entries = malloc(cap * sizeof(*entries));
    if (entries == NULL)
        return false;
    for (size_t i = 0; i < cap; i++)
        entries[i].id = -1;
    v->entries = entries;
    v->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        struct entry *e = &old[i];

        if (e->id >= 0)
            *probe(v, e->hash, v->bytes + e->at, e->len, e->cont) = *e;
    }
    free(old);
    return true;
}

static bool
grow_bytes(struct wn_vocab *v, size_t len)
{
    size_t cap = 2 * (v->bytes_n + len) + 4096;
    char *bytes;

    if (len <= v->bytes_cap - v->bytes_n)
        return true;
    bytes = realloc(v->bytes, cap);
    if (bytes == NULL)
        return false;
    v->bytes = bytes;
    v->bytes_cap = cap;
    return true;
}

enum wn_status
wn_vocab_new(struct wn_vocab **ret, struct wn_err *err)
{
    struct wn_vocab *v = calloc(1, sizeof(*v));

    if (v == NULL || !grow_entries(v) || !grow_bytes(v, 1)) {
        wn_vocab_free(v);
        return wn_fail(err, WN_STOP, "vocabulary: out of memory");
    }
    *ret = v;
    return WN_OK;
}

void
wn_vocab_free(struct wn_vocab *v)
{
    if (v == NULL)
        return;
    free(v->entries);
    free(v->bytes);
    free(v);
}

static bool
cut_prefix(const char **piece, size_t *len)
{
    if (*len <= 2 || memcmp(*piece, "##", 2) != 0)
        return false;
    *piece += 2;
    *len -= 2;
    return true;
}

enum wn_status
wn_vocab_add(struct wn_vocab *v, const char *piece, size_t len, int32_t id,
    struct wn_err *err)
{
    bool cont = cut_prefix(&piece, &len);
    uint64_t hash = hash_all(piece, len, cont);
    struct entry *e;

    if (len > PIECE_MAX)
        return wn_fail(
            err, WN_REJECT, "vocabulary: piece %d is too long", (int)id);
    if (id < 0 || id > ID_MAX)
        return wn_fail(err, WN_REJECT, "vocabulary: too many pieces");
    if ((2 * (v->n + 1) > v->cap && !grow_entries(v)) || !grow_bytes(v, len))
        return wn_fail(err, WN_STOP, "vocabulary: out of memory");
    e = probe(v, hash, piece, len, cont);
    if (e->id < 0) {
        *e = (struct entry){ hash, (uint32_t)v->bytes_n, (uint32_t)len, id,
            cont };
        memcpy(v->bytes + v->bytes_n, piece, len);
        v->bytes_n += len;
        v->n++;
    }
    e->id = id;
    if (len > v->longest_len)
        v->longest_len = len;
    if ((size_t)id >= v->size)
        v->size = (size_t)id + 1;
    return WN_OK;
}

static size_t
trim_end(const char *p, size_t len)
{
    int32_t at = (int32_t)len, end = at;
    UChar32 c;

    while (at > 0) {
        U8_PREV((const uint8_t *)p, 0, at, c);
        if (c < 0 || !wn_unicode_is_space(c))
            break;
        end = at;
    }
    return (size_t)end;
}

/* The next line without its newline into line[]; its length, LINE_MAX_LEN + 1
 * where it is longer than LINE_MAX_LEN, or -1 at the end of the file. */
static int
next_line(FILE *f, char line[LINE_MAX_LEN + 1])
{
    int c, len = 0;

    while ((c = getc_unlocked(f)) != EOF && c != '\n') {
        line[len++] = (char)c;
        if (len > LINE_MAX_LEN)
            return len;
    }
    return c == EOF && len == 0 ? -1 : len;
}

static enum wn_status
read_lines(struct wn_vocab *v, FILE *f, struct wn_err *err)
{
    char line[LINE_MAX_LEN + 1];
    enum wn_status rc = WN_OK;

    for (int32_t id = 0; rc == WN_OK; id++) {
        int len = next_line(f, line);

        if (len < 0)
            break;
        if (len > LINE_MAX_LEN)
            rc = wn_fail(err, WN_REJECT, "line %d is too long", (int)id + 1);
        else
            rc = wn_vocab_add(v, line, trim_end(line, (size_t)len), id, err);
    }
    if (rc == WN_OK && ferror(f))
        rc = wn_fail(err, WN_REJECT, "%s", strerror(errno));
    return rc;
}

static enum wn_status
check_file(FILE *f, struct wn_err *err)
{
    struct stat sb;

    if (fstat(fileno(f), &sb) != 0)
        return wn_fail(err, WN_REJECT, "%s", strerror(errno));
    if (S_ISDIR(sb.st_mode))
        return wn_fail(err, WN_REJECT, "is a directory");
    if (!S_ISREG(sb.st_mode))
        return wn_fail(err, WN_REJECT, "not a regular file");
    if (sb.st_size > (off_t)FILE_BYTES_MAX)
        return wn_fail(err, WN_REJECT, "larger than 64 MiB");
    return WN_OK;
}

enum wn_status
wn_vocab_read(struct wn_vocab *v, const char *path, struct wn_err *err)
{
    FILE *f = fopen(path, "re");
    enum wn_status rc;

    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    rc = check_file(f, err);
    if (rc == WN_OK)
        rc = read_lines(v, f, err);
    if (rc != WN_OK)
        wn_fail_in(err, rc, "%s", path);
    fclose(f);
    return rc;
}

enum wn_status
wn_vocab_read_json(struct wn_vocab *v, const json_t *pieces, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    const char *piece;
    json_t *id;

    if (!json_is_object(pieces))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.vocab is not an object of pieces and ids");
    json_object_foreach((json_t *)pieces, piece, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return wn_fail(err, WN_REJECT,
                "tokenizer.json: model.vocab: an id is not a number");
        rc = wn_vocab_add(
            v, piece, strlen(piece), (int32_t)json_integer_value(id), err);
        if (rc != WN_OK)
            return rc;
    }
    return WN_OK;
}

int32_t
wn_vocab_find(const struct wn_vocab *v, const char *piece, size_t len)
{
    bool cont = cut_prefix(&piece, &len);

    return probe(v, hash_all(piece, len, cont), piece, len, cont)->id;
}

int32_t
wn_vocab_longest(const struct wn_vocab *v, const char *p, size_t len, bool cont,
    size_t *ret_len)
{
    uint64_t hashes[PIECE_MAX + 1];

    if (len > v->longest_len)
        len = v->longest_len;
    hashes[0] = hash_start(cont);
    for (size_t i = 0; i < len; i++)
        hashes[i + 1] = hash_step(hashes[i], p[i]);
    for (; len > 0; len--) {
        int32_t id = probe(v, hashes[len], p, len, cont)->id;

        if (id >= 0) {
            *ret_len = len;
            return id;
        }
    }
    return -1;
}

size_t
wn_vocab_size(const struct wn_vocab *v)
{
    return v->size;
}

void
wn_vocab_each(const struct wn_vocab *v,
    void (*each)(
        void *arg, int32_t id, const char *piece, size_t len, bool cont),
    void *arg)
{
    for (size_t i = 0; i < v->cap; i++) {
        const struct entry *e = &v->entries[i];

        if (e->id >= 0)
            each(arg, e->id, v->bytes + e->at, e->len, e->cont);
    }
}
