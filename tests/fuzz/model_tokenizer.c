/*
 * libFuzzer: any bytes as a tokenizer.json. What is not read says why; what is
 * read makes tokens of its own vocabulary of any text, in their places.
 *
 * The bytes are the file up to the first zero byte, the rest is a text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/tokenizer.h"

#define MAX ((size_t)1 << 15)

static char dir[256], path[300];

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
remove_folder(void)
{
    unlink(path);
    rmdir(dir);
}

static void
make_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%.200s/winnow-fuzz.XXXXXX",
        tmp != NULL                     ? tmp
        : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                        : "/tmp");
    must(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
    atexit(remove_folder);
}

static void
put_file(const uint8_t *p, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, p, len) == (ssize_t)len);
    close(fd);
}

static void
check_tokens(const struct wn_tokenizer *t, const char *text, size_t len)
{
    enum wn_status rc;
    struct wn_tokens tk;
    struct wn_err err;

    wn_tokens_init(&tk);
    rc = wn_tokenizer_run(t, text, len, &tk, &err);
    /* some files would make a text grow without end */
    must(rc == WN_OK || rc == WN_STOP);
    for (size_t i = 0; rc == WN_OK && i < tk.n; i++) {
        must(tk.ids[i] >= 0 && (size_t)tk.ids[i] < wn_tokenizer_vocab(t));
        must(tk.start[i] < tk.end[i] && tk.end[i] <= len);
        must(i == 0 ||
             (tk.start[i] >= tk.start[i - 1] && tk.end[i] >= tk.end[i - 1]));
    }
    wn_tokens_release(&tk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "Caf\xC3\xA9 a  b\n \xE4\xBD\xA0\xE5\xA5\xBD, "
                               "isn't <s> [SEP] e\xCC\x81\xEF\xBC\xA1 \xF0\x9F";
    const uint8_t *zero = memchr(data, 0, size);
    size_t len = zero == NULL ? size : (size_t)(zero - data);
    struct wn_err err = { "" };
    struct wn_tokenizer *t;
    enum wn_status rc;

    if (dir[0] == '\0')
        make_folder();
    if (size > MAX)
        return 0;
    put_file(data, len);
    rc = wn_tokenizer_open(&t, dir, &err);
    must(rc == WN_OK || (rc == WN_REJECT && err.text[0] != '\0'));
    if (rc != WN_OK)
        return 0;
    check_tokens(t, text, sizeof(text) - 1);
    check_tokens(t, (const char *)data + len, size - len);
    wn_tokenizer_free(t);
    return 0;
}
