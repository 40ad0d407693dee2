/*
 * Viterbi over the text's bytes: each position that a path reaches offers its
 * pieces to the positions where they end. Linear in the text, times the
 * longest piece.
 *
 * Many texts have two best ways ("aaa" as "aa a" or "a aa"), and then the last
 * bit of a sum decides. So scores are what the reference makes of their
 * digits, not the nearest double, and are added in its order.
 */
#include "model/unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tokenizer_int.h"
#include "model/trie.h"

#define PIECES_MAX ((size_t)4 << 20)
#define UNK_PENALTY 10.0
#define NOWHERE UINT32_MAX

struct wn_unigram {
    struct wn_trie trie;
    double *scores; /* (n) */
    size_t n;
    int32_t unk;
    double unk_score;
    size_t longest; /* bytes of the longest piece, 4 at least */
};

/* --- reading --- */

/* The fewest digits that are v again, as files have it: 15, 16 or 17. */
static void
write_shortest(double v, char out[32])
{
    snprintf(out, 32, "%.16g", v); /* 15 are among these, with a zero */
    if (strtod(out, NULL) != v)
        snprintf(out, 32, "%.17g", v);
}

/*
 * The double that the reference reads from the digits of v: the digits as an
 * integer that fits 64 bits, over a power of ten. Each of the two rounds, so a
 * quarter of all scores is one unit off.
 */
static double
as_reference_reads(double v)
{
    char text[32], *p = text;
    double power = 1;
    uint64_t n = 0;
    bool fraction = false;

    write_shortest(fabs(v), text);
    for (; *p == '.' || (*p >= '0' && *p <= '9'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        n = 10 * n + (uint64_t)(*p - '0');
        power *= fraction ? 10 : 1;
    }
    /* other scores than those of a logarithm have an exponent */
    return *p == '\0' ? copysign((double)n / power, v) : v;
}

static enum wn_status
read_piece(struct wn_unigram *u, size_t i, const json_t *pair,
    struct wn_trie_key *key, struct wn_err *err)
{
    const json_t *piece = json_array_get(pair, 0);
    const json_t *score = json_array_get(pair, 1);

    if (json_array_size(pair) != 2 || !json_is_string(piece) ||
        !json_is_number(score) || !isfinite(json_number_value(score)))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.vocab[%zu] is not [\"piece\", score]", i);
    key->p = json_string_value(piece);
    key->len = json_string_length(piece);
    key->value = (int32_t)i;
    u->scores[i] = as_reference_reads(json_number_value(score));
    if (key->len > u->longest)
        u->longest = key->len;
    return WN_OK;
}

bool
wn_unigram_is_special(const char *piece)
{
    static const char *const names[] = { "<s>", "</s>", "<pad>", "<unk>",
        "<mask>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]" };

    if (piece[0] != '<' && piece[0] != '[')
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], piece) == 0)
            return true;
    return false;
}

/* Fills scores and the trie; of equal pieces the last counts. */
static enum wn_status
read_vocab(struct wn_unigram *u, const json_t *vocab,
    const struct wn_hidden *hidden, struct wn_trie_key *keys,
    struct wn_err *err)
{
    double least = INFINITY;
    enum wn_status rc;
    size_t n = 0;

    u->longest = 4;
    for (size_t i = 0; i < u->n; i++) {
        rc = read_piece(u, i, json_array_get(vocab, i), &keys[n], err);
        if (rc != WN_OK)
            return rc;
        if (u->scores[i] < least)
            least = u->scores[i];
        if ((int32_t)i != u->unk && !wn_hidden_has(hidden, (int32_t)i) &&
            !wn_unigram_is_special(keys[n].p))
            n++;
    }
    u->unk_score = least - UNK_PENALTY;
    return wn_trie_build(&u->trie, keys, n, err);
}

/* What model may say beside its vocabulary. */
static enum wn_status
read_members(struct wn_unigram *u, const json_t *model, struct wn_err *err)
{
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *unk = json_object_get(model, "unk_id");

    if (!json_is_array(vocab) || json_array_size(vocab) == 0 ||
        json_array_size(vocab) > PIECES_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.vocab is not a list of 1..%zu pieces",
            PIECES_MAX);
    u->n = json_array_size(vocab);
    if (!json_is_integer(unk) || json_integer_value(unk) < 0 ||
        json_integer_value(unk) >= (json_int_t)u->n)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.unk_id is not the number of a piece");
    u->unk = (int32_t)json_integer_value(unk);
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.byte_fallback is not supported");
    return WN_OK;
}

enum wn_status
wn_unigram_read(struct wn_unigram **ret, const json_t *model,
    const struct wn_hidden *hidden, struct wn_err *err)
{
    struct wn_unigram *u = calloc(1, sizeof(*u));
    struct wn_trie_key *keys = NULL;
    enum wn_status rc;

    if (u == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    rc = read_members(u, model, err);
    if (rc != WN_OK)
        goto out;
    u->scores = malloc(u->n * sizeof(*u->scores));
    keys = malloc(u->n * sizeof(*keys));
    if (u->scores == NULL || keys == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    rc = read_vocab(u, json_object_get(model, "vocab"), hidden, keys, err);
    if (rc != WN_OK)
        goto out;

    *ret = u;
    u = NULL;
out:
    free(keys);
    wn_unigram_free(u);
    return rc;
}

void
wn_unigram_free(struct wn_unigram *u)
{
    if (u == NULL)
        return;
    wn_trie_release(&u->trie);
    free(u->scores);
    free(u);
}

int32_t
wn_unigram_unk(const struct wn_unigram *u)
{
    return u->unk;
}

size_t
wn_unigram_size(const struct wn_unigram *u)
{
    return u->n;
}

/* --- running --- */

static void
offer(struct wn_unigram_node *node, double score, uint32_t from, int32_t id)
{
    if (node->from != NOWHERE && !(score > node->score))
        return;
    *node = (struct wn_unigram_node){ score, from, id };
}

/* Offers every piece at byte `at` of p[0, n), whose first character has `len`
 * bytes. */
static void
offer_pieces(const struct wn_unigram *u, const uint8_t *p, size_t n, size_t at,
    size_t len, struct wn_unigram_node *nodes)
{
    double before = nodes[at].score;
    bool single = false;
    uint32_t node = 0;

    for (size_t i = at; i < n && wn_trie_step(&u->trie, &node, p[i]);) {
        int32_t id = u->trie.nodes[node].value;

        i++;
        if (id < 0)
            continue;
        offer(&nodes[i], u->scores[id] + before, (uint32_t)at, id);
        single = single || i - at == len;
    }
    if (!single)
        offer(&nodes[at + len], u->unk_score + before, (uint32_t)at, u->unk);
}

static size_t
char_len(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static void
find_best(const struct wn_unigram *u, const uint8_t *p, size_t n,
    struct wn_unigram_node *nodes)
{
    size_t fresh = 1, len;

    nodes[0] = (struct wn_unigram_node){ 0, 0, 0 };
    for (size_t at = 0; at < n; at += len) {
        size_t upto = at + u->longest < n ? at + u->longest : n;

        for (; fresh <= upto; fresh++)
            nodes[fresh].from = NOWHERE;
        len = char_len(p[at]);
        offer_pieces(u, p, n, at, len, nodes);
    }
}

/* Turns the best path round: `from` of a piece's start becomes its end. The id
 * of a piece stays where it ends. */
static void
turn(struct wn_unigram_node *nodes, size_t n)
{
    uint32_t at = (uint32_t)n, next = NOWHERE;

    while (at != 0) {
        uint32_t from = nodes[at].from;

        nodes[at].from = next;
        next = at;
        at = from;
    }
    nodes[0].from = next;
}

static bool
grow(struct wn_unigram_nodes *nodes, size_t n)
{
    size_t cap = n + n / 2 + 256;
    struct wn_unigram_node *p;

    if (n <= nodes->cap)
        return true;
    p = realloc(nodes->p, cap * sizeof(*p));
    if (p == NULL)
        return false;
    nodes->p = p;
    nodes->cap = cap;
    return true;
}

bool
wn_unigram_run(const struct wn_unigram *u, const struct wn_trace *t,
    size_t from, size_t to, struct wn_unigram_nodes *nodes,
    struct wn_tokens *tk)
{
    size_t n = to - from, last = 0;
    bool fuse = false;

    if (n == 0)
        return true;
    if (!grow(nodes, n + 1))
        return false;
    find_best(u, (const uint8_t *)t->p + from, n, nodes->p);
    turn(nodes->p, n);
    for (size_t at = nodes->p[0].from;; at = nodes->p[at].from) {
        int32_t id = nodes->p[at].id;

        /* unknown ones in a row are one */
        if (fuse && id == u->unk)
            tk->end[tk->n - 1] = t->end[from + at - 1];
        else if (!wn_tokens_add(
                     tk, id, t->start[from + last], t->end[from + at - 1]))
            return false;
        fuse = id == u->unk;
        last = at;
        if (at == n)
            return true;
    }
}
