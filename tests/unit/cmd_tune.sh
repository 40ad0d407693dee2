#!/bin/sh
# Fine-tuning on a tiny set with a tiny checkpoint: exits come out of it and are used, neither the number of threads nor
# a stop in between changes a byte, frozen layers stay, sources can be left out.
set -u
w=${BUILD:-build}/winnow
[ -x "$w" ] || { echo "# $w is not built"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-tune.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
wrong() { echo "# $*"; bad=1; }
says() { grep -qF -- "$1" "$dir/log" || { wrong "no '$1' in:"; sed 's/^/#   /' "$dir/log" | tail -8; }; }

# rows N OFFSET: half of them spam, of three sources; a few with kinds of bait
rows() {
    i=0
    while [ $i -lt "$1" ]; do
        n=$((i + $2))
        case $((i % 4)) in
        0) t="win cash now offer $n at shop$n.example/deal" l='"spam":1,"scam":1,"bait":0,"ai":0' ;;
        1) t="we walked the dog by the lake on day $n" l='"spam":0,"scam":0,"bait":0,"ai":null' ;;
        2) t="type yes if you love day $n" l='"spam":0,"scam":0,"bait":1,"ai":null,"bait_comment":1,"bait_vote":0' ;;
        3) t="the train to work was late again, day $n" l='"spam":0,"scam":0,"bait":0,"ai":0' ;;
        esac
        echo "{\"id\":\"$n\",\"text\":\"$t\",\"labels\":{$l},\"source\":\"s$((i % 3))\"}"
        i=$((i + 1))
    done
}
mkdir "$dir/data"
rows 400 0 >"$dir/data/train.jsonl"
rows 80 1000 >"$dir/data/dev.jsonl"
tune() { # OUT MORE...
    out=$1; shift
    "$w" train --data "$dir/data" --base tests/golden/bert --out "$dir/$out" --epoch-rows 400 --batch-tokens 256 \
        --rate 2e-3 "$@" >"$dir/log" 2>&1 </dev/null
}

tune a --exits 1 --epochs 40 --threads 1 || { wrong "a: exit $?"; tail -3 "$dir/log"; }
says 'layer 1: settled under'
says 'a is written'
[ "$(jq -c '[.winnow.exits[].after]' "$dir/a/config.json")" = '[1]' ] || wrong "not the exit that was asked for"
[ ! -e "$dir/a.checkpoint" ] || wrong "the checkpoint stayed"
[ -s "$dir/a.tuned/model.safetensors" ] || wrong "the encoder in fp32 is not there"
printf '%s\n' '{"id":"1","text":"win cash now offer 7 at shop7.example/deal","author":{"id":"a"}}' >"$dir/post"
"$w" score --jsonl --model.dir "$dir/a" <"$dir/post" >"$dir/scored" 2>"$dir/log" || wrong "the weights do not score"
jq -e '.scores.spam > 0.5' "$dir/scored" >/dev/null || { wrong "spam is not told"; cat "$dir/scored"; }

tune b --exits 1 --epochs 40 --threads 3
cmp -s "$dir/a/model.safetensors" "$dir/b/model.safetensors" || wrong "three threads give other weights than one"

# Stopped by a signal once it has begun, then gone on with.
: >"$dir/log"
"$w" train --data "$dir/data" --base tests/golden/bert --out "$dir/c" --epoch-rows 400 --batch-tokens 256 --rate 2e-3 \
    --exits 1 --epochs 40 >"$dir/log" 2>&1 </dev/null &
pid=$!
i=0
while ! grep -q 'texts an epoch' "$dir/log" && [ $i -lt 200 ]; do sleep 0.02; i=$((i + 1)); done
kill -TERM $pid 2>/dev/null
wait $pid
rc=$?
if [ $rc -ne 0 ]; then
    says 'the same command goes on from'
    [ -s "$dir/c.checkpoint" ] || wrong "stopped with $rc and no checkpoint"
    tune c --exits 1 --epochs 40 || wrong "did not go on"
    says 'goes on from'
fi
cmp -s "$dir/a/model.safetensors" "$dir/c/model.safetensors" || wrong "a stop in between gives other weights"
tune c --exits 1 --epochs 40
says 'is tuned already'

# Another setting does not go on from a checkpoint that is not its own.
cp "$dir/a.tuned/config.json" "$dir/d.checkpoint"
tune d --exits 1 --epochs 1 && wrong "a file that is no checkpoint was taken"
says 'not a checkpoint'

tune e --last-layers 1 --epochs 1 || wrong "e: --last-layers failed"
tune f --leave-out s1 --epochs 1 || wrong "f: --leave-out failed"
! grep -q 's1' "$dir/f/README.md" || wrong "the card names a source that was left out"
tune g --leave-out nobody --epochs 1 && wrong "a source that is not there was left out"
says "no text is of source 'nobody'"
tune h --exits 3 --epochs 1 && wrong "an exit after more layers than there are"
says 'an exit after layer 3 of 2'
exit $bad
