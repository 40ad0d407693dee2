/*
 * Pairs wait in a heap by rank and place, as in the reference; one that a
 * merge beside it has overtaken is found out when it comes to the top. A word
 * costs n log n, whoever wrote it.
 *
 * Most words are a piece themselves. Whether the merges arrive at a piece from
 * its own characters is asked once, when the model is read; a word that is
 * such a piece is looked up and not merged.
 */
#include "model/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "model/tokenizer_int.h"
#include "model/vocab.h"

#define NONE UINT32_MAX
#define FIRST_N                                                                \
    0x180 /* characters whose ids are at hand: all of byte level               \
           */
#define MERGES_MAX ((size_t)4 << 20)
#define PIECE_MAX 512 /* bytes; the vocabulary's own limit */

struct merge {
    uint64_t pair; /* left << 32 | right; FREE where there is none */
    uint32_t rank;
    int32_t id;
};
#define FREE UINT64_MAX

enum whole { NOT_ASKED, WHOLE, MERGED };

struct wn_bpe {
    struct wn_vocab *vocab;
    int32_t first[FIRST_N]; /* -1: no such piece */
    struct merge *merges;   /* open addressing, at most half full */
    size_t merges_cap;      /* a power of two */
    uint8_t *whole;         /* (size): do the merges arrive at this piece? */
    int32_t unk;            /* -1: what is not known is dropped */
    bool fuse_unk;
};

struct wn_bpe_symbol {
    int32_t id;
    uint32_t from,
        to; /* bytes of the text; to is 0: joined to the one before */
    uint32_t prev, next;
};
struct wn_bpe_merge {
    uint64_t order; /* rank << 32 | place */
    int32_t id;
};

/* --- merges --- */

static size_t
slot_of(const struct wn_bpe *b, uint64_t pair)
{
    uint64_t hash = pair * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(hash >> 32) & (b->merges_cap - 1);
}

/* The pair's merge, or the free slot where it would be. */
static struct merge *
find_merge(const struct wn_bpe *b, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | (uint32_t)right;
    size_t i = slot_of(b, pair);

    while (b->merges[i].pair != pair && b->merges[i].pair != FREE)
        i = (i + 1) & (b->merges_cap - 1);
    return &b->merges[i];
}

/* --- the heap: the least order on top --- */

static void
heap_push(struct wn_bpe_scratch *s, struct wn_bpe_merge m)
{
    size_t at = s->heap_n++;

    while (at > 0 && s->heap[(at - 1) / 2].order > m.order) {
        s->heap[at] = s->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap[at] = m;
}

static struct wn_bpe_merge
heap_pop(struct wn_bpe_scratch *s)
{
    struct wn_bpe_merge top = s->heap[0], last = s->heap[--s->heap_n];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < s->heap_n) {
        if (child + 1 < s->heap_n &&
            s->heap[child + 1].order < s->heap[child].order)
            child++;
        if (s->heap[child].order >= last.order)
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

/* --- a word --- */

void
wn_bpe_scratch_release(struct wn_bpe_scratch *s)
{
    free(s->symbols);
    free(s->heap);
    *s = (struct wn_bpe_scratch){ 0 };
}

/* Room for n symbols. Each merge takes one away and adds two pairs at most, so
 * the heap never holds more than three times as many. */
static bool
grow(struct wn_bpe_scratch *s, size_t n)
{
    size_t cap = n + n / 2 + 64;
    struct wn_bpe_symbol *symbols;
    struct wn_bpe_merge *heap;

    if (n <= s->cap)
        return true;
    symbols = realloc(s->symbols, cap * sizeof(*symbols));
    if (symbols == NULL)
        return false;
    s->symbols = symbols;
    heap = realloc(s->heap, 3 * cap * sizeof(*heap));
    if (heap == NULL)
        return false;
    s->heap = heap;
    s->cap = cap;
    return true;
}

static void
add_symbol(struct wn_bpe_scratch *s, int32_t id, size_t from, size_t to)
{
    uint32_t at = (uint32_t)s->n++;

    s->symbols[at] = (struct wn_bpe_symbol){ id, (uint32_t)from, (uint32_t)to,
        at - 1, NONE };
    if (at > 0)
        s->symbols[at - 1].next = at;
}

/* What is not known: the piece for it, one for all in a row if they fuse. */
static void
add_unknown(const struct wn_bpe *b, struct wn_bpe_scratch *s, size_t from,
    size_t to, bool after_unknown)
{
    if (b->unk < 0)
        return;
    if (after_unknown && b->fuse_unk)
        s->symbols[s->n - 1].to = (uint32_t)to;
    else
        add_symbol(s, b->unk, from, to);
}

static void
add_characters(const struct wn_bpe *b, const struct wn_trace *t, size_t from,
    size_t to, struct wn_bpe_scratch *s)
{
    bool unknown = false;

    s->n = 0;
    while (from < to) {
        size_t at = from;
        int32_t c = wn_trace_next(t, &from);
        int32_t id = c < FIRST_N
                         ? b->first[c]
                         : wn_vocab_find(b->vocab, t->p + at, from - at);

        if (id >= 0)
            add_symbol(s, id, at, from);
        else
            add_unknown(b, s, at, from, unknown);
        unknown = id < 0;
    }
}

/* Symbols `at` and the one behind it, if they are a pair. */
static void
push_pair(const struct wn_bpe *b, struct wn_bpe_scratch *s, uint32_t at)
{
    uint32_t next = at == NONE ? NONE : s->symbols[at].next;
    const struct merge *m;

    if (next == NONE)
        return;
    m = find_merge(b, s->symbols[at].id, s->symbols[next].id);
    if (m->pair != FREE)
        heap_push(
            s, (struct wn_bpe_merge){ (uint64_t)m->rank << 32 | at, m->id });
}

static void
join(const struct wn_bpe *b, struct wn_bpe_scratch *s, uint32_t at, int32_t id)
{
    struct wn_bpe_symbol *left = &s->symbols[at];
    struct wn_bpe_symbol *right = &s->symbols[left->next];

    left->id = id;
    left->to = right->to;
    left->next = right->next;
    right->to = 0;
    if (left->next != NONE)
        s->symbols[left->next].prev = at;
    push_pair(b, s, left->prev);
    push_pair(b, s, at);
}

static void
merge_all(const struct wn_bpe *b, struct wn_bpe_scratch *s)
{
    s->heap_n = 0;
    for (uint32_t i = 0; i + 1 < s->n; i++)
        push_pair(b, s, i);
    while (s->heap_n > 0) {
        struct wn_bpe_merge top = heap_pop(s);
        uint32_t at = (uint32_t)top.order;
        const struct wn_bpe_symbol *left = &s->symbols[at];
        const struct merge *m;

        if (left->to == 0 || left->next == NONE)
            continue;
        /* as in the reference: it counts as long as it makes the same piece */
        m = find_merge(b, left->id, s->symbols[left->next].id);
        if (m->pair != FREE && m->id == top.id)
            join(b, s, at, top.id);
    }
}

bool
wn_bpe_run(const struct wn_bpe *b, const struct wn_trace *t, size_t from,
    size_t to, struct wn_bpe_scratch *s, struct wn_tokens *tk)
{
    int32_t id = -1;

    if (to - from <= PIECE_MAX)
        id = wn_vocab_find(b->vocab, t->p + from, to - from);
    if (id >= 0 && b->whole[id] == WHOLE)
        return wn_tokens_add(tk, id, t->start[from], t->end[to - 1]);
    if (!grow(s, to - from))
        return false;
    add_characters(b, t, from, to, s);
    if (s->n == 0)
        return true;
    merge_all(b, s);
    for (uint32_t i = 0; i != NONE; i = s->symbols[i].next) {
        const struct wn_bpe_symbol *one = &s->symbols[i];

        if (!wn_tokens_add(
                tk, one->id, t->start[one->from], t->end[one->to - 1]))
            return false;
    }
    return true;
}

/* --- reading --- */

static enum wn_status
read_vocab(struct wn_bpe *b, const json_t *vocab, struct wn_err *err)
{
    enum wn_status rc = wn_vocab_new(&b->vocab, err);

    if (rc == WN_OK)
        rc = wn_vocab_read_json(b->vocab, vocab, err);
    for (int32_t c = 0; c < FIRST_N && rc == WN_OK; c++) {
        char piece[2] = { (char)c };
        size_t len = 1;

        if (c >= 0x80) {
            piece[0] = (char)(0xc0 | c >> 6);
            piece[1] = (char)(0x80 | (c & 0x3f));
            len = 2;
        }
        b->first[c] = wn_vocab_find(b->vocab, piece, len);
    }
    return rc;
}

/* The two halves of merge i: ["a", "b"], or "a b" in older files. */
static bool
split_merge(const json_t *merge, const char **a, size_t *a_len, const char **b,
    size_t *b_len)
{
    const json_t *left = json_array_get(merge, 0);
    const json_t *right = json_array_get(merge, 1);
    const char *both = json_string_value(merge), *space;

    if (json_array_size(merge) == 2 && json_is_string(left) &&
        json_is_string(right)) {
        *a = json_string_value(left);
        *a_len = json_string_length(left);
        *b = json_string_value(right);
        *b_len = json_string_length(right);
        return true;
    }
    space = both == NULL ? NULL : strchr(both, ' ');
    if (space == NULL || strchr(space + 1, ' ') != NULL)
        return false;
    *a = both;
    *a_len = (size_t)(space - both);
    *b = space + 1;
    *b_len = strlen(space + 1);
    return true;
}

static enum wn_status
read_merge(
    struct wn_bpe *b, uint32_t i, const json_t *merge, struct wn_err *err)
{
    const char *left, *right;
    size_t left_len, right_len;
    char piece[2 * PIECE_MAX];
    int32_t ids[3] = { -1, -1, -1 };
    struct merge *m;

    if (split_merge(merge, &left, &left_len, &right, &right_len) &&
        left_len <= PIECE_MAX && right_len <= PIECE_MAX) {
        memcpy(piece, left, left_len);
        memcpy(piece + left_len, right, right_len);
        ids[0] = wn_vocab_find(b->vocab, left, left_len);
        ids[1] = wn_vocab_find(b->vocab, right, right_len);
        ids[2] = wn_vocab_find(b->vocab, piece, left_len + right_len);
    }
    if (ids[0] < 0 || ids[1] < 0 || ids[2] < 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.merges[%u] is not a pair of pieces that "
            "make a piece",
            (unsigned)i);
    m = find_merge(b, ids[0], ids[1]);
    *m = (struct merge){ (uint64_t)ids[0] << 32 | (uint32_t)ids[1], i, ids[2] };
    return WN_OK;
}

static enum wn_status
read_merges(struct wn_bpe *b, const json_t *merges, struct wn_err *err)
{
    size_t n = json_array_size(merges);
    enum wn_status rc = WN_OK;

    if (!json_is_array(merges) || n > MERGES_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.merges is not a list of at most %zu",
            MERGES_MAX);
    b->merges_cap = 16;
    while (b->merges_cap < 2 * n)
        b->merges_cap *= 2;
    b->merges = malloc(b->merges_cap * sizeof(*b->merges));
    if (b->merges == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    for (size_t i = 0; i < b->merges_cap; i++)
        b->merges[i].pair = FREE;
    for (size_t i = 0; i < n && rc == WN_OK; i++)
        rc = read_merge(b, (uint32_t)i, json_array_get(merges, i), err);
    return rc;
}

/* Members that change what a word comes to; all others say nothing here. */
static enum wn_status
read_members(struct wn_bpe *b, const json_t *model, struct wn_err *err)
{
    static const char *const affixes[] = { "continuing_subword_prefix",
        "end_of_word_suffix" };
    const json_t *dropout = json_object_get(model, "dropout");
    const char *unk = json_string_value(json_object_get(model, "unk_token"));

    for (int i = 0; i < 2; i++) {
        const char *affix =
            json_string_value(json_object_get(model, affixes[i]));

        if (affix != NULL && affix[0] != '\0')
            return wn_fail(err, WN_REJECT,
                "tokenizer.json: model.%s is not supported", affixes[i]);
    }
    if (json_is_number(dropout) && json_number_value(dropout) != 0)
        return wn_fail(
            err, WN_REJECT, "tokenizer.json: model.dropout is not supported");
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.byte_fallback is not supported");
    b->fuse_unk = json_is_true(json_object_get(model, "fuse_unk"));
    b->unk = unk == NULL ? -1 : wn_bpe_find(b, unk);
    if (unk != NULL && b->unk < 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.unk_token '%.40s' is not in the vocabulary",
            unk);
    return WN_OK;
}

/* Marks the pieces that the merges arrive at, or that ignore_merges makes
 * words of. */
static enum wn_status
mark_whole(struct wn_bpe *b, const json_t *model,
    const struct wn_hidden *hidden, struct wn_err *err)
{
    bool ignore = json_is_true(json_object_get(model, "ignore_merges"));
    const json_t *vocab = json_object_get(model, "vocab"), *id;
    struct wn_bpe_scratch s = { 0 };
    struct wn_trace t = { 0 };
    struct wn_tokens tk;
    bool enough = true;
    const char *piece;

    wn_tokens_init(&tk);
    b->whole = calloc(wn_bpe_size(b) + 1, sizeof(*b->whole));
    if (b->whole == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    json_object_foreach((json_t *)vocab, piece, id)
    {
        int32_t want = (int32_t)json_integer_value(id);

        wn_trace_load(&t, piece, 0, strlen(piece));
        tk.n = 0;
        enough = enough && !t.failed &&
                 (t.n == 0 || wn_bpe_run(b, &t, 0, t.n, &s, &tk));
        /* an id that two pieces have is not asked for by one of them */
        b->whole[want] = b->whole[want] == NOT_ASKED &&
                                 !wn_hidden_has(hidden, want) &&
                                 (ignore || (tk.n == 1 && tk.ids[0] == want))
                             ? WHOLE
                             : MERGED;
    }
    wn_tokens_release(&tk);
    wn_trace_release(&t);
    wn_bpe_scratch_release(&s);
    return enough ? WN_OK : wn_fail(err, WN_STOP, "tokenizer: out of memory");
}

enum wn_status
wn_bpe_read(struct wn_bpe **ret, const json_t *model,
    const struct wn_hidden *hidden, struct wn_err *err)
{
    struct wn_bpe *b = calloc(1, sizeof(*b));
    enum wn_status rc;

    if (b == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    rc = read_vocab(b, json_object_get(model, "vocab"), err);
    if (rc == WN_OK)
        rc = read_members(b, model, err);
    if (rc == WN_OK)
        rc = read_merges(b, json_object_get(model, "merges"), err);
    if (rc == WN_OK)
        rc = mark_whole(b, model, hidden, err);
    if (rc == WN_OK)
        *ret = b;
    else
        wn_bpe_free(b);
    return rc;
}

void
wn_bpe_free(struct wn_bpe *b)
{
    if (b == NULL)
        return;
    wn_vocab_free(b->vocab);
    free(b->merges);
    free(b->whole);
    free(b);
}

size_t
wn_bpe_size(const struct wn_bpe *b)
{
    return wn_vocab_size(b->vocab);
}

int32_t
wn_bpe_find(const struct wn_bpe *b, const char *piece)
{
    return wn_vocab_find(b->vocab, piece, strlen(piece));
}
