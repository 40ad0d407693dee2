#!/bin/sh
# winnow score: the contract of --jsonl line by line, and the table for people. Runs from / : it needs no working folder.
set -u
w=$(cd "$(dirname "${BUILD:-build}/winnow")" && pwd)/winnow
[ -x "$w" ] || { echo "# $w is not built"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-score.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
unset WINNOW_CONFIG WINNOW_DATABASE_URL PGHOST PGHOSTADDR PGSERVICE PGDATABASE
cd / || exit 1
wrong() { echo "# $*"; bad=1; }
same() { [ "$1" = "$2" ] || wrong "$3: '$1' is not '$2'"; }

# one line for each line: good, blank, without text, bad, native, too long, a deletion, and a last one without newline
{
    printf '{"id":"a","text":"Lovely walk by the river this morning, the herons are back."}\n\n'
    printf '{"id":"b","text":null}\n'
    printf 'not json\n'
    printf '{"type":"post.created","post":{"id":"c","text":"nul \\u0000 and lone \\ud800","author":{"id":"z"}}}\n'
    printf '{"id":"long","text":"%s"}\n' "$(head -c 3000 /dev/zero | tr '\0' x)"
    printf '{"type":"post.deleted","post":{"id":"c"}}\n'
    printf '{"text":"no id"}\n'
    printf '{"id":"last","text":"end"}'
} >"$dir/in"
"$w" score --jsonl --ingest.post_bytes_max=2k <"$dir/in" >"$dir/out" 2>"$dir/err"
same $? 0 'exit status'
same "$(wc -l <"$dir/out" | tr -d ' ')" 9 'lines'
same "$(cat "$dir/err")" '' 'standard error'
line() { sed -n "${1}p" "$dir/out"; }
p='[0-9][0-9.e-]*'
line 1 | grep -qE "^\{\"id\":\"a\",\"scores\":\{\"spam\":$p,\"scam\":$p,\"bait\":$p,\"ai_text\":$p\},\"flags\":\[[a-z_\",]*\],\"action\":\"[a-z]+\",\"reasons\":\[.*\],\"insufficient_text\":true\}\$" || wrong "line 1: $(line 1)"
line 1 | sed 's/.*"flags":\[\([^]]*\)\].*/\1/' | grep -q ai_text && wrong 'ai_text is flagged on few words'
line 2 | grep -q '^{"line":2,"error":"' || wrong "line 2: $(line 2)"
line 3 | grep -q '^{"id":"b","scores":null,"flags":\[\],' || wrong "line 3: $(line 3)"
line 4 | grep -q '^{"line":4,"error":"json: ' || wrong "line 4: $(line 4)"
line 5 | grep -q '^{"id":"c","scores":{' || wrong "line 5: $(line 5)"
line 6 | grep -q '^{"line":6,"error":"size: ' || wrong "line 6: $(line 6)"
line 7 | grep -q '^{"line":7,"error":"event: ' || wrong "line 7: $(line 7)"
line 8 | grep -q '^{"line":8,"error":"id: ' || wrong "line 8: $(line 8)"
line 9 | grep -q '^{"id":"last",' || wrong "line 9: $(line 9)"

# the same bytes whatever the number of threads and the size of batches
i=0
while [ $i -lt 400 ]; do
    i=$((i + 1))
    echo "{\"id\":\"$i\",\"text\":\"note $i about bread, rain and $((i * 7919)) other things\"}"
done >"$dir/many"
"$w" score --jsonl --score.threads=1 --score.batch_tokens=1 <"$dir/many" >"$dir/one"
"$w" score --jsonl --score.threads=4 --score.batch_tokens=300 <"$dir/many" >"$dir/four"
cmp "$dir/one" "$dir/four" >/dev/null || wrong 'output depends on threads or batches'
same "$(sed -n 's/^{"id":"\([0-9]*\)".*/\1/p' "$dir/four" | tr '\n' ' ')" "$(seq 1 400 | tr '\n' ' ')" 'order'

# output does not wait for more input: the answer comes while the pipe is open
mkfifo "$dir/fifo"
"$w" score --jsonl <"$dir/fifo" >"$dir/flushed" &
pid=$!
exec 3>"$dir/fifo"
head -n 1 "$dir/in" >&3
n=0
while [ ! -s "$dir/flushed" ] && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.1; done
same "$(wc -l <"$dir/flushed" | tr -d ' ')" 1 'lines before the input ends'
exec 3>&-
wait $pid
same $? 0 'exit status at the end of the pipe'

# empty input; output that cannot be written
same "$("$w" score --jsonl </dev/null | wc -c | tr -d ' ')" 0 'output of no input'
if [ -w /dev/full ]; then
    "$w" score --jsonl <"$dir/many" >/dev/full 2>"$dir/err"
    same $? 1 'exit status with a full disk'
    grep -q 'standard output' "$dir/err" || wrong "full disk: $(cat "$dir/err")"
fi

# a member of another name is told of once, at the end; a null, media alone and other envelopes are no mistake
{
    printf '{"id":"1","body":"free crypto"}\n{"id":"2","body":"x","lang\\u202e":"en"}\n{"id":"3","text":"fine"}\n'
    printf 'not json\n{"id":"4","text":""}\n'
} >"$dir/body"
"$w" score --jsonl <"$dir/body" >"$dir/out" 2>"$dir/err"
same $? 0 'exit status without texts'
same "$(wc -l <"$dir/out" | tr -d ' ')" 5 'lines without texts'
line 1 | grep -q '^{"id":"1","scores":null,"flags":\[\],"action":"allow","reasons":\[\]' || wrong "no text: $(line 1)"
same "$(cat "$dir/err")" 'winnow score: note: 2 of 5 lines had no "text"; members seen: body, id, lang·' 'note'
{
    printf '{"id":"1","text":null}\n'
    printf '{"type":"post.created","post":{"id":"4","media":[{"type":"image"}],"author":{"id":"z"}}}\n'
} | "$w" score --jsonl >/dev/null 2>"$dir/err"
same "$(cat "$dir/err")" '' 'note without cause'
awk 'BEGIN { for (i = 0; i < 300; i++) printf "{\"id\":\"%d\",\"m%d\":1}\n", i, i }' | "$w" score --jsonl 2>&1 >/dev/null |
    grep -q '300 of 300 lines.*, \.\.\.$' || wrong 'the list of members is not cut'

# for people
"$w" score '' >"$dir/out"
grep -q 'too short' "$dir/out" && wrong 'an empty text is too short'
if command -v script >/dev/null; then
    script -qec "'$w' score --jsonl" /dev/null </dev/null 2>&1 | grep -q 'Ctrl-D' || wrong 'no hint on a terminal'
fi
"$w" score 'Good morning from the allotment' >"$dir/out"
same $? 0 'exit status of a text'
for word in spam scam bait ai_text action threshold; do
    grep -q "^$word\|$word" "$dir/out" || wrong "no $word in the table"
done
printf 'from standard input' | "$w" score - | grep -q 'from standard input' || wrong 'standard input as a text'
"$w" score --json 'one text' 'two texts' | grep -c '^{"id":"[12]","scores":{' | grep -qx 2 || wrong '--json of two texts'

# --explain: the heaviest word first, of the head that is named or of a flagged one; both forms of JSON have the member
# (ten words: of weights with exits no more are read to the end)
text='We walked along the river, then airdrop and home today.'
"$w" score --explain=scam "$text" >"$dir/out"
same $? 0 'exit status of --explain'
grep -A1 '^explain  scam: its logit is ' "$dir/out" | grep -qE '^ +[-+][0-9.]+ +[-+]+ +[A-Za-z,.]+$' || wrong "explain: $(cat "$dir/out")"
"$w" score --explain "FREE CRYPTO airdrop, claim it: t.me/x" | grep -qE '^explain  (spam|scam|bait|ai_text): ' || wrong 'the head of --explain'
"$w" score --explain '' | grep -q '^explain  nothing' || wrong '--explain without a text'
member='"head":"scam","logit":[-0-9.e]+,"window":1,"windows":1,"text":"We walked .*","words":\[.*\{"word":"airdrop","weight":[-0-9.e]+,"at":\[\[32,39\]\]\}.*\],"left_out":\[.*\]'
"$w" score --json --explain=scam "$text" >"$dir/out"
grep -qE ",\"explain\":\{$member\}\}\$" "$dir/out" || wrong "--json --explain: $(cat "$dir/out")"
jq -e '.explain.words | map(.weight | fabs) | . == (sort | reverse)' "$dir/out" >/dev/null || wrong 'the heaviest word is not first'
printf '{"id":"1","text":"%s"}\n\n{"id":"3","text":null}\n' "$text" | "$w" score --jsonl --explain=scam >"$dir/out"
line 1 | grep -qE ",\"explain\":\{$member\}\}\$" || wrong "--jsonl --explain: $(line 1)"
line 2 | grep -q '^{"line":2,"error":' || wrong "--jsonl --explain: $(line 2)"
line 3 | grep -q ',"explain":null}$' || wrong "--jsonl --explain: $(line 3)"
"$w" score --jsonl --explain --score.threads=4 <"$dir/in" >"$dir/four"
"$w" score --jsonl --explain --score.threads=1 <"$dir/in" >"$dir/one"
cmp "$dir/one" "$dir/four" >/dev/null || wrong 'an explanation depends on threads'
"$w" score --explain=fraud "$text" >/dev/null 2>"$dir/err"
same $? 2 'exit status of --explain of no head'
grep -q "'fraud' is none of spam" "$dir/err" || wrong "head: $(cat "$dir/err")"
printf 'a\033[2Jb \342\200\256airdrop' | "$w" score --explain=scam | LC_ALL=C grep -q "$(printf '\033')" && wrong 'an escape in a table'

# a rule that could not be asked is named with what it lacked; the line of --jsonl has the contract's members alone
printf '%s' '{"policy":"t","version":"1","rules":[
 {"id":"new","action":"remove","category":"c","reason":"r","when":"size(post.text) > 3 && author.age_days < 3"},
 {"id":"zero","action":"remove","category":"c","reason":"r","when":"text.words / (text.words - text.words) == 1"}]}' >"$dir/p.json"
"$w" score --policy.file="$dir/p.json" 'FREE CRYPTO t.me/x buy now' >"$dir/out"
grep -qx 'skipped  rule new: author.age_days is unknown' "$dir/out" || wrong "skipped: $(grep skipped "$dir/out")"
grep -q '^skipped  rule zero: .*zero' "$dir/out" || wrong "error of a rule: $(grep skipped "$dir/out")"
"$w" score --json --policy.file="$dir/p.json" 'FREE CRYPTO' | grep -qF ',"skipped":["new","zero"]}' || wrong '--json: skipped'
"$w" score --json 'FREE CRYPTO' | grep -qF '"skipped":[' || wrong '--json: no skipped'
"$w" score --jsonl --policy.file="$dir/p.json" <"$dir/in" | grep -q '"skipped"' && wrong '--jsonl has skipped'
"$w" score --jsonl text </dev/null >/dev/null 2>&1
same $? 2 'exit status of --jsonl with a text'
"$w" score --model.dir=/nonexistent x >/dev/null 2>"$dir/err"
same $? 78 'exit status without weights'
grep -q /nonexistent "$dir/err" || wrong "weights: $(cat "$dir/err")"

# a file that is not there: which option named it, and where; a binary alone says what it lacks
why() { "$w" score "$@" x >/dev/null 2>"$dir/err"; same $? 78 "exit status of $*"; }
told() { grep -qF -- "$1" "$dir/err" || wrong "no '$1': $(cat "$dir/err")"; }
why --policy.file=/nope; told '--policy.file: /nope: No such file'
why --model.dir=/nope; told '--model.dir: /nope'
why --config /nope; told '--config: /nope: No such file'
printf '\npolicy.file = /nope\n' >"$dir/a.conf"
why --config "$dir/a.conf"; told "policy.file ($dir/a.conf:2): /nope: No such file"
WINNOW_POLICY_FILE=/nope "$w" score x 2>"$dir/err"; told 'policy.file (WINNOW_POLICY_FILE): /nope'
mkdir -p "$dir/alone/bin"
cp "$w" "$dir/alone/bin/winnow"
"$dir/alone/bin/winnow" score x >/dev/null 2>"$dir/err"
same $? 78 'exit status of a binary alone'
told 'set policy.file and model.dir, or make install'
exit $bad
