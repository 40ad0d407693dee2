/*
 * winnow model info: what a folder of weights says of itself, whether this
 * build can use it, and the size and hash of every file in it.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "model/config.h"
#include "model/joint.h"

#define FILES_MAX 256
#define OUTPUT_BYTES_MAX (16u << 20)

struct file {
    char name[NAME_MAX + 1], sha256[2 * WN_SHA256 + 1];
    uint64_t bytes;
};

struct info {
    const char *dir;
    struct wn_joint joint;
    struct wn_config conf;
    char family[64], tokenizer[64], version[96], kernels[65];
    struct wn_err unusable; /* "" where this build can use them */
    struct file files[FILES_MAX];
    size_t files_n;
};

/* --- what is there --- */

static int
by_name(const void *a, const void *b)
{
    return strcmp(
        ((const struct file *)a)->name, ((const struct file *)b)->name);
}

static enum wn_status
add_file(struct info *f, const char *name, struct wn_err *err)
{
    char path[PATH_MAX];
    struct file *file;
    struct stat sb;

    if (snprintf(path, sizeof(path), "%s/%s", f->dir, name) >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", f->dir);
    if (stat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
        return WN_OK;
    if (f->files_n == FILES_MAX)
        return wn_fail(
            err, WN_REJECT, "%s: more than %d files", f->dir, FILES_MAX);
    file = &f->files[f->files_n++];
    snprintf(file->name, sizeof(file->name), "%s", name);
    return wn_file_sha256(path, file->sha256, &file->bytes, err);
}

static enum wn_status
read_files(struct info *f, struct wn_err *err)
{
    DIR *d = opendir(f->dir);
    const struct dirent *entry;
    enum wn_status rc = WN_OK;

    if (d == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", f->dir, strerror(errno));
    while (rc == WN_OK && (entry = readdir(d)) != NULL)
        rc = add_file(f, entry->d_name, err);
    closedir(d);
    qsort(f->files, f->files_n, sizeof(f->files[0]), by_name);
    return rc;
}

/* A member's string, "-" where there is none. */
static void
copy_string(char *out, size_t n, const json_t *v, const char *otherwise)
{
    snprintf(out, n, "%s",
        json_string_value(v) == NULL ? otherwise : json_string_value(v));
}

/* vocab.txt alone is WordPiece's. */
static enum wn_status
read_names(struct info *f, struct wn_err *err)
{
    json_t *config = NULL, *tokenizer = NULL;
    enum wn_status rc;

    rc = wn_config_load_json(&config, f->dir, "config.json", false, err);
    if (rc == WN_OK)
        rc = wn_config_load_json(
            &tokenizer, f->dir, "tokenizer.json", true, err);
    if (rc == WN_OK) {
        copy_string(f->family, sizeof(f->family),
            json_object_get(config, "model_type"), "-");
        copy_string(f->tokenizer, sizeof(f->tokenizer),
            json_object_get(json_object_get(tokenizer, "model"), "type"),
            "WordPiece");
    }
    json_decref(config);
    json_decref(tokenizer);
    return rc;
}

/* Whether this build can use them; their version is known only then. */
static void
try_them(struct info *f)
{
    struct wn_classifier *c = NULL;

    f->unusable.text[0] = '\0';
    if (wn_classifier_open(&c, f->dir, NULL, &f->unusable) != WN_OK)
        return;
    snprintf(f->version, sizeof(f->version), "%s", wn_classifier_version(c));
    snprintf(f->kernels, sizeof(f->kernels), "%s", wn_classifier_kernels(c));
    wn_classifier_free(c);
}

static enum wn_status
read_all(struct info *f, struct wn_err *err)
{
    enum wn_status rc = wn_joint_read(&f->joint, f->dir, wn_head_names, err);

    if (rc == WN_OK)
        rc = wn_config_read(&f->conf, f->dir, err);
    if (rc == WN_OK)
        rc = read_names(f, err);
    if (rc == WN_OK)
        rc = read_files(f, err);
    if (rc == WN_OK)
        try_them(f);
    return rc;
}

/* --- for people --- */

static void
put_plain(struct wn_buf *out, const char *s)
{
    wn_cmd_plain(out, (struct wn_str){ s, strlen(s) }, 200);
}

static void
put_table(const struct info *f, struct wn_buf *out)
{
    const struct wn_encoder_shape *s = &f->conf.shape;

    wn_buf_printf(out, "weights    %s\nfolder     ",
        f->version[0] == '\0' ? f->joint.name : f->version);
    put_plain(out, f->dir);
    wn_buf_str(out, "\nfamily     ");
    put_plain(out, f->family);
    wn_buf_printf(out,
        "\nshape      %zu layers, width %zu, %zu heads, ffn %zu, %zu "
        "positions\n"
        "pooling    %s\ntokenizer  ",
        s->layers, s->hidden, s->heads, s->ffn, s->positions,
        s->pooling == WN_POOL_MEAN ? "mean" : "first token");
    put_plain(out, f->tokenizer);
    wn_buf_printf(out, ", %zu pieces\ntext       version %d\n", s->vocab,
        f->joint.text_version);
    if (f->kernels[0] != '\0')
        wn_buf_printf(out, "runs on    %s\n", f->kernels);
    wn_buf_str(out, "\nhead      threshold  encoder  n-grams  constant\n");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const double *mix = f->joint.head[h].mix;

        wn_buf_printf(out, "%-8s  %9.6f  %7.3f  %7.3f  %8.3f\n",
            wn_head_names[h], f->joint.head[h].threshold, mix[0], mix[1],
            mix[2]);
    }
    wn_buf_str(out, "\n       bytes  sha256\n");
    for (size_t i = 0; i < f->files_n; i++) {
        wn_buf_printf(
            out, "%12" PRIu64 "  %s  ", f->files[i].bytes, f->files[i].sha256);
        put_plain(out, f->files[i].name);
        wn_buf_char(out, '\n');
    }
}

/* --- for machines --- */

static json_t *
heads_json(const struct info *f)
{
    json_t *heads = json_object();

    for (size_t h = 0; h < WN_HEADS; h++) {
        const double *m = f->joint.head[h].mix;

        json_object_set_new(heads, wn_head_names[h],
            json_pack("{s:f, s:[f, f, f]}", "threshold",
                f->joint.head[h].threshold, "mix", m[0], m[1], m[2]));
    }
    return heads;
}

/* A name that is no UTF-8 is shown as it would be printed. */
static json_t *
files_json(const struct info *f)
{
    json_t *files = json_array();

    for (size_t i = 0; i < f->files_n; i++) {
        struct wn_buf name;

        wn_buf_init(&name, 4096);
        put_plain(&name, f->files[i].name);
        json_array_append_new(files,
            json_pack("{s:s, s:I, s:s}", "name",
                name.data == NULL ? "" : name.data, "bytes",
                (json_int_t)f->files[i].bytes, "sha256", f->files[i].sha256));
        wn_buf_release(&name);
    }
    return files;
}

static void
put_json(const struct info *f, struct wn_buf *out)
{
    const struct wn_encoder_shape *s = &f->conf.shape;
    json_t *o = json_pack("{s:s, s:s?, s:s, s:s, s:i, s:{s:I, s:I, s:I, s:I, "
                          "s:I, s:I}, s:s, s:o, s:o, s:s?}",
        "name", f->joint.name, "version",
        f->version[0] == '\0' ? NULL : f->version, "family", f->family,
        "tokenizer", f->tokenizer, "text_version", f->joint.text_version,
        "shape", "layers", (json_int_t)s->layers, "hidden",
        (json_int_t)s->hidden, "heads", (json_int_t)s->heads, "ffn",
        (json_int_t)s->ffn, "positions", (json_int_t)s->positions, "vocab",
        (json_int_t)s->vocab, "pooling",
        s->pooling == WN_POOL_MEAN ? "mean" : "cls", "heads", heads_json(f),
        "files", files_json(f), "unusable",
        f->unusable.text[0] == '\0' ? NULL : f->unusable.text);
    char *text = json_dumps(
        o, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));

    if (text == NULL)
        out->failed = true;
    else
        wn_buf_str(out, text);
    wn_buf_char(out, '\n');
    free(text);
    json_decref(o);
}

int
wn_model_info(const char *dir, bool json)
{
    struct info *f = calloc(1, sizeof(*f));
    struct wn_err err = { "" };
    struct wn_buf out;
    int rc = 0;

    if (f == NULL)
        return wn_cmd_fail(1, "model", "out of memory");
    f->dir = dir;
    wn_buf_init(&out, OUTPUT_BYTES_MAX);
    if (read_all(f, &err) != WN_OK) {
        bool named = strncmp(err.text, dir, strlen(dir)) == 0;

        rc = wn_cmd_fail(WN_EX_CONFIG, "model", "%s%s%s", named ? "" : dir,
            named ? "" : ": ", err.text);
    } else {
        json ? put_json(f, &out) : put_table(f, &out);
        if (wn_file_write("-", &out, &err) != WN_OK)
            rc = wn_cmd_fail(1, "model", "%s", err.text);
        else if (f->unusable.text[0] != '\0')
            rc = wn_cmd_fail(WN_EX_CONFIG, "model", "%s", f->unusable.text);
    }
    wn_buf_release(&out);
    free(f);
    return rc;
}
