#!/bin/sh
# Training on a tiny set with a tiny checkpoint: the weights load and tell the classes apart, the same seed gives the
# same weights, kept features are used again, what is wrong with the data is named by file and line, and weights that
# were there are replaced whole or not at all.
set -u
w=${BUILD:-build}/winnow
[ -x "$w" ] || { echo "# $w is not built"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-train.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
wrong() { echo "# $*"; bad=1; }
# status WANTED ARGUMENTS...: output of both streams is left in $dir/out
status() {
    want=$1; shift
    "$w" "$@" >"$dir/out" 2>&1 </dev/null
    rc=$?
    [ $rc -eq "$want" ] || { wrong "winnow $*: exit $rc, not $want"; sed 's/^/#   /' "$dir/out" | tail -5; }
}
says() { grep -qF -- "$1" "$dir/out" || { wrong "no '$1' in:"; sed 's/^/#   /' "$dir/out" | tail -8; }; }

# rows N OFFSET: half of them spam, all labels known, two sources
rows() {
    i=0
    while [ $i -lt "$1" ]; do
        n=$((i + $2))
        if [ $((i % 2)) -eq 0 ]; then
            t="win cash now offer $n at shop$n.example/deal" l='"spam":1,"scam":1,"bait":0,"ai":0'
        else
            t="we walked the dog by the lake on day $n" l='"spam":0,"scam":0,"bait":1,"ai":null'
        fi
        echo "{\"id\":\"$n\",\"text\":\"$t\",\"labels\":{$l},\"source\":\"s$((i % 3))\"}"
        i=$((i + 1))
    done
}
mkdir "$dir/data"
rows 60 0 >"$dir/data/train.jsonl"
rows 24 100 | gzip >"$dir/data/dev.jsonl.gz"
rows 24 200 >"$dir/test.jsonl"
train() { # OUT MORE...
    out=$1; shift
    status 0 train --heads-only --data "$dir/data" --base tests/golden/bert --out "$dir/$out" "$@"
}

echo 'About these weights: made by a test.' >"$dir/about.md"
train a --cache "$dir/cache" --test "$dir/test.jsonl" --about "$dir/about.md" --name tiny-1 --rows-per-source 15
says 'layer 2: spam ='
says 'AUC on test'
says '/a is written'
for f in config.json model.safetensors vocab.txt README.md; do
    [ -s "$dir/a/$f" ] || wrong "no $f"
done
[ ! -e "$dir/a.tmp" ] || wrong "a.tmp stayed"
grep -q 'made by a test' "$dir/a/README.md" || wrong "the card lacks what --about says"
[ "$(jq -r '.winnow.name' "$dir/a/config.json")" = tiny-1 ] || wrong "not the name that was given"
[ "$(jq -r '.winnow.data["data/train.jsonl"]' "$dir/a/config.json")" = "$(sha256sum <"$dir/data/train.jsonl" | cut -d' ' -f1)" ] ||
    wrong "config.json does not name the data"

[ "$(jq -r '.winnow.vocab_lines' "$dir/a/config.json")" = "$(wc -l <"$dir/a/vocab.txt")" ] ||
    wrong "config.json does not say how long the vocabulary is"

# a vocabulary that was cut off would give other tokens
cp -r "$dir/a" "$dir/short"
sed '$d' "$dir/a/vocab.txt" >"$dir/short/vocab.txt"
status 78 eval "$dir/test.jsonl" --weights "$dir/short"; says 'winnow.vocab_lines says 292'

status 0 eval "$dir/test.jsonl" --weights "$dir/a" --json -
auc=$(jq -rs '[.[] | .. | objects | select(has("auc")) | .auc] | max' "$dir/out" 2>/dev/null)
[ "$auc" = 1 ] || [ "$auc" = 1.0 ] || wrong "AUC '$auc' on two classes that share no word"

train b --cache "$dir/cache" --test "$dir/test.jsonl" --name tiny-1 --rows-per-source 15
if grep -q 'texts/s' "$dir/out"; then wrong "kept features were computed again"; fi
cmp -s "$dir/a/model.safetensors" "$dir/b/model.safetensors" || wrong "the same seed gave other weights"
cmp -s "$dir/a/config.json" "$dir/b/config.json" || wrong "the same seed gave another config.json"

# a stop in the middle of a record is mended
head -c $(($(wc -c <"$dir/cache") - 7)) "$dir/cache" >"$dir/cut"
train c --cache "$dir/cut" --name tiny-1 --rows-per-source 15 --test "$dir/test.jsonl"
cmp -s "$dir/a/model.safetensors" "$dir/c/model.safetensors" || wrong "features that were cut off gave other weights"

# nothing of an earlier training, nor of one that was killed, is in the folder
cp -r "$dir/a" "$dir/f"
echo '{"do_lower_case": false}' >"$dir/f/tokenizer_config.json"
cp -r "$dir/f" "$dir/f.tmp"
: >"$dir/f.tmp/model.safetensors.tmp"
train f --cache "$dir/cache" --test "$dir/test.jsonl" --name tiny-1 --rows-per-source 15
[ "$(ls "$dir/f")" = "$(ls "$dir/b")" ] || wrong "f holds $(ls "$dir/f")"
cmp -s "$dir/f/config.json" "$dir/b/config.json" || wrong "another config.json over an old folder"
[ ! -e "$dir/f.tmp" ] && [ ! -e "$dir/f.old" ] || wrong "something stayed beside f"

# the way without RENAME_EXCHANGE; a sanitizer wants to be the first library
if [ "${BUILD#*san-}" = "${BUILD-}" ]; then
    echo 'int renameat2(int a, const char *b, int c, const char *d, unsigned e);
#include <errno.h>
int renameat2(int a, const char *b, int c, const char *d, unsigned e) { (void)a, (void)b, (void)c, (void)d, (void)e;
    errno = EINVAL; return -1; }' >"$dir/no.c"
    ${CC:-cc} -shared -fPIC -o "$dir/no.so" "$dir/no.c" || wrong "no compiler"
    ino=$(stat -c %i "$dir/f")
    echo '{"do_lower_case": false}' >"$dir/f/tokenizer_config.json"
    LD_PRELOAD=$dir/no.so train f --cache "$dir/cache" --name tiny-2 --rows-per-source 15
    [ "$(ls "$dir/f")" = "$(ls "$dir/b")" ] || wrong "f holds $(ls "$dir/f")"
    [ "$(jq -r '.winnow.name' "$dir/f/config.json")" = tiny-2 ] || wrong "f is the old one"
    [ "$(stat -c %i "$dir/f")" != "$ino" ] || wrong "f is the same folder"
    [ ! -e "$dir/f.tmp" ] && [ ! -e "$dir/f.old" ] || wrong "something stayed beside f"
fi

# links are followed, and slashes at the end are none of the name
ln -s f "$dir/link"
train link/ --cache "$dir/cache" --name tiny-3 --rows-per-source 15
[ -h "$dir/link" ] && [ "$(jq -r '.winnow.name' "$dir/f/config.json")" = tiny-3 ] || wrong "the link is gone, or not followed"

# a base of another normalizer: the weights cut texts as it does
cp -r tests/golden/bert "$dir/cased"
echo '{"normalizer":{"type":"BertNormalizer","lowercase":false},"model":{"type":"WordPiece","max_input_chars_per_word":7}}' \
    >"$dir/cased/tokenizer.json"
status 0 train --heads-only --data "$dir/data" --base "$dir/cased" --out "$dir/g"
cmp -s "$dir/cased/tokenizer.json" "$dir/g/tokenizer.json" || wrong "tokenizer.json stayed behind"
# and what was kept of the other one is not taken for it
status 1 train --heads-only --data "$dir/data" --base "$dir/cased" --out "$dir/g" --cache "$dir/cache"
says 'remove the file'

# what can be known before the work is
early() { # STATUS SAYS MORE...
    want=$1; text=$2; shift 2
    status "$want" train --heads-only --data "$dir/nowhere" --base tests/golden/bert "$@"
    says "$text"
    if grep -q 'nowhere' "$dir/out"; then wrong "the data came first: $*"; fi
}
for n in 'my model v2' a/b ü 0123456789012345678901234567890123456789012345678901234567890123; do
    early 2 '--name takes 1 to 63' --out "$dir/h" --name "$n"
done
early 1 '/nonexistent: No such file' --out "$dir/h" --about /nonexistent
early 1 'larger than' --out "$dir/h" --about /dev/zero
early 1 'No such file' --out "$dir/none/h"
cp -r "$dir/a" "$dir/owned"; : >"$dir/owned/notes.txt"
early 1 "holds 'notes.txt'" --out "$dir/owned"
cp -r "$dir/a" "$dir/h.tmp"; : >"$dir/h.tmp/notes.txt"
early 1 "holds 'notes.txt'" --out "$dir/h"
[ -e "$dir/h.tmp/config.json" ] && [ -e "$dir/owned/config.json" ] || wrong "files of somebody's folder are gone"

# a training that fails leaves the old weights, and nothing beside them
"$w" train --heads-only --data "$dir/data" --base "$dir/a" --out "$dir/f" --cache "$dir/nowhere/cache" >"$dir/out" 2>&1 &&
    wrong "a cache in no folder"
[ "$(jq -r '.winnow.name' "$dir/f/config.json")" = tiny-3 ] && [ ! -e "$dir/f.tmp" ] || wrong "a failure changed f or left f.tmp"

sed 5d "$dir/cache" | head -c 40 >"$dir/other"
status 1 train --heads-only --data "$dir/data" --base tests/golden/bert --out "$dir/d" --cache "$dir/other"
says 'remove the file'

mkdir "$dir/bad"
{ rows 3 0; echo '{"text":"x","labels":{"spam":2}}'; } >"$dir/bad/train.jsonl"
cp "$dir/data/dev.jsonl.gz" "$dir/bad/"
status 1 train --heads-only --data "$dir/bad" --base tests/golden/bert --out "$dir/e"
says 'bad/train.jsonl:4'; says 'spam'
[ ! -e "$dir/e" ] && [ ! -e "$dir/e.tmp" ] || wrong "bad data left a folder"
status 1 train --heads-only --data "$dir/nowhere" --base tests/golden/bert --out "$dir/e"; says 'nowhere/train.jsonl'
status 1 train --heads-only --data "$dir/data" --base "$dir/nowhere" --out "$dir/e"; says 'nowhere'

status 2 train --heads-only --data x --base y --out z --rows-per-sauce 3; says '--rows-per-sauce'
status 2 train --heads-only --data x --base y; says '--out is missing'
status 2 train --base y --out z; says '--data is missing'
status 2 train --data x --base y --out z --exits 6,3; says '--exits'
status 2 train --data x --base y --out z --rate 0; says '--rate'
status 2 train --data x --base y --out z --weight feed; says '--weight'
status 2 train --data x --base y --out z --batch-tokens 100; says '--batch-tokens'
status 2 train --heads-only --data x --base y --out z --seed many; says '--seed'
status 2 train --data x --base y --out z --precision fp16; says 'auto, fp32 or bf16'
status 0 train --help; says 'Examples:'; says '--cache FILE'
exit $bad
