/*
 * libFuzzer: any bytes as the small files of a checkpoint's folder. What is
 * read has sizes within their bounds, and a tokenizer whose ids are those of
 * its vocabulary; what is not read says why.
 *
 * The input is the files below one after the other, with a zero byte between;
 * an empty one is not there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/config.h"
#include "model/tokenizer.h"

#define MAX ((size_t)1 << 14)

static const char *const files[] = { "config.json", "vocab.txt",
    "tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json" };
static char dir[256];

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
path_of(const char *file, char path[512])
{
    snprintf(path, 512, "%s/%s", dir, file);
}

static void
remove_folder(void)
{
    char path[512];

    for (size_t i = 0; i < 5; i++) {
        path_of(files[i], path);
        unlink(path);
    }
    path_of("1_Pooling", path);
    rmdir(path);
    rmdir(dir);
}

static void
make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[512];

    snprintf(dir, sizeof(dir), "%.200s/winnow-fuzz.XXXXXX",
        tmp != NULL                     ? tmp
        : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                        : "/tmp");
    must(mkdtemp(dir) != NULL);
    path_of("1_Pooling", path);
    must(mkdir(path, 0700) == 0);
    atexit(remove_folder);
}

static void
put_file(const char *file, const uint8_t *p, size_t len)
{
    char path[512];
    int fd;

    path_of(file, path);
    if (len == 0) {
        unlink(path);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, p, len) == (ssize_t)len);
    close(fd);
}

static void
put_files(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < 5; i++) {
        const uint8_t *zero = i < 4 ? memchr(data, 0, size) : NULL;
        size_t len = zero == NULL ? size : (size_t)(zero - data);

        put_file(files[i], data, len);
        data += len + (zero != NULL);
        size -= len + (zero != NULL);
    }
}

static void
check_rc(enum wn_status rc, const struct wn_err *err)
{
    must(rc == WN_OK || (rc == WN_REJECT && err->text[0] != '\0'));
}

static void
check_config(void)
{
    struct wn_err err = { "" };
    struct wn_config conf;
    enum wn_status rc = wn_config_read(&conf, dir, &err);
    const struct wn_encoder_shape *s = &conf.shape;

    check_rc(rc, &err);
    if (rc != WN_OK)
        return;
    must(s->layers >= 1 && s->layers <= 128);
    must(s->hidden >= 1 && s->hidden <= 8192);
    must(s->heads >= 1 && s->hidden % s->heads == 0);
    must(s->ffn >= 1 && s->ffn <= 65536);
    must(s->positions >= 2 && s->positions <= 8192);
    must(s->vocab >= 1 && s->vocab <= 4 << 20);
    must(s->types <= 64 && (s->types >= 1) == (conf.family != WN_DISTILBERT));
    must(s->pooling == WN_POOL_MEAN || s->pooling == WN_POOL_CLS);
    must(conf.norm_eps >= 0 && conf.norm_eps <= 1);
}

static void
check_tokens(const struct wn_tokenizer *t, const char *text, size_t len)
{
    struct wn_tokens tk;
    struct wn_err err;

    wn_tokens_init(&tk);
    must(wn_tokenizer_run(t, text, len, &tk, &err) == WN_OK);
    for (size_t i = 0; i < tk.n; i++) {
        must(tk.ids[i] >= 0 && (size_t)tk.ids[i] < wn_tokenizer_vocab(t));
        must(tk.start[i] < tk.end[i] && tk.end[i] <= len);
    }
    wn_tokens_release(&tk);
}

static void
check_tokenizer(const uint8_t *data, size_t size)
{
    static const char text[] = "Caf\xC3\xA9 ##a \xE4\xBD\xA0\xE5\xA5\xBD, "
                               "unhappiness [CLS] don't 42 \xF0\x9F\x98\x80";
    struct wn_tokenizer *t;
    struct wn_err err = { "" };
    enum wn_status rc = wn_tokenizer_open(&t, dir, &err);
    int32_t vocab;

    check_rc(rc, &err);
    if (rc != WN_OK)
        return;
    vocab = (int32_t)wn_tokenizer_vocab(t);
    must(wn_tokenizer_cls(t) >= 0 && wn_tokenizer_cls(t) < vocab);
    must(wn_tokenizer_sep(t) >= 0 && wn_tokenizer_sep(t) < vocab);
    check_tokens(t, text, sizeof(text) - 1);
    check_tokens(t, (const char *)data, size);
    wn_tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (dir[0] == '\0')
        make_folder();
    if (size > MAX)
        return 0;
    put_files(data, size);
    check_config();
    check_tokenizer(data, size);
    return 0;
}
