#!/bin/sh
# Who includes whom: prints folder → folders and libraries, and fails on what the table of the design forbids.
set -eu
cd "$(dirname "$0")/.."
allowed() {
    case $1 in
    core) echo "sodium" ;;
    model) echo "core cblas openblas unicode jansson intrinsics" ;;
    classifier) echo "core model unicode" ;;
    policies) echo "core jansson unicode" ;;
    storage) echo "core libpq" ;;
    ingest) echo "core classifier policies storage librdkafka jansson" ;;
    console) echo "core classifier policies storage microhttpd jansson" ;;
    cmd) echo "core model classifier policies storage ingest console jansson zlib unicode cblas" ;;
    esac
}
# One word for each header that is not the C library's, the system's or the compiler's; a header that nobody has named
# here is its own word, which no folder may include.
library() {
    case $1 in
    sodium*) echo sodium ;;
    cblas*) echo cblas ;;
    openblas*) echo openblas ;;
    unicode/*) echo unicode ;;
    jansson*) echo jansson ;;
    libpq*|postgres*|pg_config*|catalog/*) echo libpq ;;
    librdkafka/*) echo librdkafka ;;
    microhttpd*) echo microhttpd ;;
    zlib*) echo zlib ;;
    *intrin.h|cpuid.h) echo intrinsics ;;
    # C11
    assert.h|complex.h|ctype.h|errno.h|fenv.h|float.h|inttypes.h|iso646.h|limits.h|locale.h|math.h|setjmp.h) ;;
    signal.h|stdalign.h|stdarg.h|stdatomic.h|stdbool.h|stddef.h|stdint.h|stdio.h|stdlib.h|stdnoreturn.h) ;;
    string.h|tgmath.h|threads.h|time.h|uchar.h|wchar.h|wctype.h) ;;
    # POSIX and Linux
    dirent.h|dlfcn.h|endian.h|execinfo.h|fcntl.h|fnmatch.h|ftw.h|getopt.h|glob.h|grp.h|iconv.h|langinfo.h|libgen.h) ;;
    netdb.h|poll.h|pthread.h|pwd.h|regex.h|sched.h|semaphore.h|spawn.h|strings.h|sysexits.h|syslog.h|termios.h) ;;
    ucontext.h|unistd.h|utime.h|wordexp.h) ;;
    arpa/*|linux/*|net/*|netinet/*|sanitizer/*|sys/*) ;;
    *) echo "<$1>" ;;
    esac
}
bad=0
for f in core model classifier policies storage ingest console cmd; do
    files=$(find "$f" -name '*.[ch]' 2>/dev/null)
    [ -n "$files" ] || continue
    ours=$(sed -n 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^/"]*\).*|\1|p' $files | sort -u)
    theirs=$(for h in $(sed -n 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*|\1|p' $files | sort -u); do
        library "$h"
    done | sort -u)
    printf '%-11s->' "$f"
    for to in $ours $theirs; do
        [ "$to" = "$f" ] && continue
        printf ' %s' "$to"
        case " $(allowed "$f") " in *" $to "*) ;; *) printf '(!)'; bad=1 ;; esac
    done
    echo
done
[ $bad -eq 0 ] || { echo "layers: (!) marks what the folder may not include" >&2; exit 1; }
