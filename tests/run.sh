#!/bin/sh
# Runs cmocka programs (TAP output) and scripts named *.sh (one case each), one after another, and ends with the line
# "N passed, N failed" (and ", N skipped" where there are any). Exit status 1 when a case failed or a program died.
#   T='pattern'  only cases, or scripts, of that name (wildcards)  S=seed  printed, handed on as WN_SEED
set -u
: "${T:=*}" "${S:=1}"
export WN_TEST_FILTER="$T" WN_SEED="$S" CMOCKA_MESSAGE_OUTPUT=TAP
pass=0 fail=0 skip=0
out=$(mktemp "${TMPDIR:-/tmp}/winnow-test.XXXXXX")
trap 'rm -f "$out"' EXIT
printf '# seed %s\n' "$S"
for prog in "$@"; do
    name=${prog##*/}
    case $name in
    *.sh) case ${name%.sh} in $T) ;; *) continue ;; esac ;;
    esac
    printf '# %s\n' "$name"
    case $prog in
    *.sh) sh "$prog" >"$out" 2>&1; rc=$?
        if [ $rc -eq 0 ]; then echo "ok - $name" >>"$out"
        elif [ $rc -eq 77 ]; then echo "ok - $name # SKIP" >>"$out"; rc=0
        else echo "not ok - $name" >>"$out"; rc=0; fi ;;
    *) "$prog" >"$out" 2>&1; rc=$? ;;
    esac
    cat "$out"
    # cmocka writes a skipped case as "not ok N # SKIP"
    s=$(grep -cE '^(not )?ok .*# SKIP' "$out")
    p=$(grep -E '^ok ' "$out" | grep -vc '# SKIP'); f=$(grep -E '^not ok ' "$out" | grep -vc '# SKIP')
    # a program that ends badly without naming a case has failed all the same
    if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; echo "not ok - $name ended with status $rc"; fi
    pass=$((pass + p)) skip=$((skip + s)) fail=$((fail + f))
done
if [ "$skip" -gt 0 ]; then printf '%d passed, %d failed, %d skipped\n' "$pass" "$fail" "$skip"
else printf '%d passed, %d failed\n' "$pass" "$fail"; fi
[ $((pass + fail + skip)) -gt 0 ] || { echo "no case is named '$T'" >&2; exit 1; }
[ "$fail" -eq 0 ]
