#!/bin/sh
# No folder includes what the table of the design forbids, and the check sees what is forbidden.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-layers.XXXXXX")
trap 'rm -rf "$dir"' EXIT
for f in deploy core model classifier policies storage ingest console cmd; do mkdir "$dir/$f"; done
cp deploy/check-layers.sh "$dir/deploy/"
bad=0
# passes STATUS LINE: a file in core/ with this line
passes() {
    echo "$2" >"$dir/core/one.c"
    "$dir/deploy/check-layers.sh" >"$dir/out" 2>&1
    rc=$?
    [ $rc -eq "$1" ] || { echo "# core/ with $2: exit $rc, not $1"; sed 's/^/#   /' "$dir/out"; bad=1; }
}
passes 0 '#include <stdio.h>'
passes 0 '#include <sys/stat.h>'
passes 0 '#include <sodium.h>'
passes 0 '#include "core/status.h"'
passes 0 'int curl; /* <curl/curl.h> is not included */'
passes 1 '#include <curl/curl.h>'
passes 1 '  #  include <curl/curl.h>'
passes 1 '#include<png.h>'
passes 1 '#include <jansson.h>'
passes 1 '#include <libpq-fe.h>'
passes 1 '#include "storage/store.h"'
passes 1 '#include "sodium.h"'
passes 1 '#include "../storage/store.h"'
grep -q 'storage(!)\|\.\.(!)' "$dir/out" || { echo "# what is forbidden is not named"; bad=1; }
[ $bad -eq 0 ] || exit 1
exec deploy/check-layers.sh
