#!/bin/sh
# Every subcommand explains itself; wrong use is refused with the right status, and the place of a wrong option is named.
set -u
w=${BUILD:-build}/winnow
[ -x "$w" ] || { echo "# $w is not built"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-help.XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
unset WINNOW_CONFIG WINNOW_DATABASE_URL PGHOST PGHOSTADDR PGSERVICE PGDATABASE
wrong() { echo "# $*"; bad=1; }
# status WANTED ARGUMENTS...: output of both streams is left in $dir/out
status() {
    want=$1; shift
    "$w" "$@" >"$dir/out" 2>&1 </dev/null
    rc=$?
    [ $rc -eq "$want" ] || { wrong "winnow $*: exit $rc, not $want"; sed 's/^/#   /' "$dir/out" | head -5; }
}
says() { grep -qF -- "$1" "$dir/out" || { wrong "no '$1' in:"; sed 's/^/#   /' "$dir/out" | head -8; }; }

status 0 --help; says 'Usage: winnow SUBCOMMAND'
for sub in run score migrate status review policy train eval model; do
    says "  $sub "
done
for sub in run score migrate status review policy train eval model; do
    status 0 "$sub" --help
    says "winnow $sub"
done
for sub in '' run score migrate status review policy train eval model 'help options' 'help review' 'model activate'; do
    "$w" $sub --help | awk 'length > 80 { exit 1 }' || wrong "winnow $sub --help has a line over 80 columns"
done
status 0 run --help; says 'ingest.source'; says 'http.listen'; says '--print-flow'
status 0 migrate --help; says 'database.url'
status 0 help options; says 'store.batch-rows'
status 0 help options --markdown; says 'store.batch_rows'
status 0 --version; says 'winnow '
status 0 run --print-flow; says 'verdict'

status 2; says 'Usage: winnow SUBCOMMAND'
status 2 stats; says "did you mean 'status'?"
status 2 xyzzyxyzzy; says 'Try'
status 2 policy; says 'say check FILE, show [FILE] or signals'
status 2 policy chek x; says "did you mean 'check'?"
status 2 help optoins; says "there is no help topic 'optoins'; did you mean 'options'?"
status 2 help xyzzyxyzzy; says 'there is no help topic'
status 0 help signals; says 'author.age_days'
status 0 policy signals
grep -qE '^author.age_days +double +days +yes +age of the account' "$dir/out" || wrong 'author.age_days in the table of signals'
grep -qE '^post.text +string +- +the text' "$dir/out" || wrong 'post.text in the table of signals'
status 0 policy signals --json
jq -e 'length > 30 and (map(select(.name == "text.words" and .reason and .unit == "words" and .type == "int")) | length == 1)
    and (map(select(.name == "post.links" and (.reason | not))) | length == 1)' "$dir/out" >/dev/null || wrong '--json of the signals'
status 2 policy check --json x; says '--json is for signals'
status 2 review; says 'say list, decide or import'
status 2 review lst; says "did you mean 'list'?"
status 2 review list --state=opne; says '--state is open, decided or closed'
status 2 review decide x; says 'the number of one item'
status 2 migrate foo; says "what is 'foo' for?"
status 0 model activate --help; says 'winnow model rollback'
status 2 model history x; says "what is 'x' for?"
status 2 model activate x --staff ana; says '--reason must say why'
for sub in migrate 'review list' 'review import x' 'model history' 'model shadow' 'model rollback --staff a --reason b'; do
    status 78 $sub; says 'database.url is not set'
done
status 78 status; says 'database.url is not set'
status 2 run --no.such.option=1; says 'no.such.option'; says "Try 'winnow run --help'"
status 2 score --jsnl; says 'winnow score: --jsnl: unknown flag; did you mean --jsonl?'; says "Try 'winnow score --help'"
status 2 review list --sate=open; says 'did you mean --state?'
status 2 score -x; says 'goes behind --'
status 78 score --score.threads=abc x; says 'winnow score: --score.threads: "abc" is not a whole number'
status 78 run --http.listen=nowhere --database.url=host=/nonexistent; says 'http.listen'

printf '# comment\nlog.level = info\ningest.topik = posts\n' >"$dir/a.conf"
status 78 run --config "$dir/a.conf"; says 'a.conf:3'; says 'ingest.topik'
printf 'store.batch_rows = many\n' >"$dir/b.conf"
status 78 migrate --config "$dir/b.conf"; says 'b.conf:1'; says 'store.batch_rows'
printf '\n\nhttp.listen = nowhere\ndatabase.url = host=/nonexistent\n' >"$dir/d.conf"
status 78 run --config "$dir/d.conf"; says 'd.conf:3'; says 'http.listen'
printf 'kafka.enable.auto.commit = true\n' >"$dir/c.conf"
status 78 run --config "$dir/c.conf"; says 'c.conf:1'; says 'enable.auto.commit'

# what cannot be written was not said
if [ -c /dev/full ]; then
    for what in '--help' 'status --help' 'policy show' 'help options' '--version'; do
        "$w" $what >/dev/full 2>"$dir/out" && wrong "winnow $what: 0 on a full disk"
        says 'No space left'
    done
fi

# librdkafka makes C11 threads, which gcc's thread sanitizer does not know and dies of
case ${BUILD:-build} in
*thread*) ;;
*)
# what librdkafka and libpq do not take is found before anything is touched
printf 'database.url = host=/nonexistent\nkafka.bootstrap.server = here:1\nkafka.bootstrap.servers = here:1\n' >"$dir/e.conf"
status 78 run --config "$dir/e.conf"; says 'e.conf:2'; says 'bootstrap.server'
printf 'kafka.bootstrap.servers = here:1\n\nkafka.session.timeout.ms = soon\ndatabase.url = host=/nonexistent\n' >"$dir/f.conf"
status 78 run --config "$dir/f.conf"; says 'f.conf:3'; says 'session.timeout.ms'
status 78 run --database.url=host=/nonexistent; says 'kafka.bootstrap.servers is not set'
status 78 run --database.url=secret-word; says '--database.url'
! grep -q 'secret-word' "$dir/out" || wrong 'the connection string is shown'
status 78 run --database.url='host=a port=http' --kafka.bootstrap.servers=here:1; says 'port is not a number'
status 78 run --database.url=host=/nonexistent --kafka.bootstrap.servers=here:1 --output.dead_topic=d \
    --kafka.compression.codec=none-such; says 'compression.codec'
status 78 run --database.url=host=/nonexistent --kafka.bootstrap.servers=here:1 --policy.file="$dir/none.json"
says "$dir/none.json"
status 78 run --database.url=host=/nonexistent --kafka.bootstrap.servers=here:1 --model.dir="$dir/none"
says "$dir/none/config.json"

# the operator's policy is the one that runs; without servers the worker is alive, not ready, and ends when told
printf '{"policy":"mine","version":"42","rules":[]}' >"$dir/mine.json"
"$w" run --database.url=host=/nonexistent --kafka.bootstrap.servers=127.0.0.1:1 --policy.file="$dir/mine.json" \
    --http.listen=127.0.0.1:0 >"$dir/out" 2>&1 &
pid=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.* http.listen .* port=\([0-9]*\).*/\1/p' "$dir/out")
    [ -z "$port" ] || break
    sleep 0.1
done
curl -fsS "http://127.0.0.1:$port/status" >"$dir/status" || wrong 'no /status'
grep -q '"mine/42@' "$dir/status" || wrong "another policy runs: $(cat "$dir/status")"
curl -fsS "http://127.0.0.1:$port/metrics" >"$dir/out"; says 'winnow_info{'; says 'policy="mine/42@'
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/healthz")" = 200 ] || wrong '/healthz is not 200'
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 503 ] || wrong '/readyz is not 503'
kill -TERM $pid
wait $pid || wrong "run ended with $? after SIGTERM"
;;
esac

printf '{"policy":"x","version":"1","rules":[{"id":"r","when":"flag.nonsense","action":"remove"}]}' >"$dir/p.json"
status 78 policy check "$dir/p.json"; says 'p.json'
status 0 policy show; says 'rules'
try() { printf "$1" >"$dir/p.json"; }
rule='"category":"c","reason":"r","when":"true"'
try '\357\273\277{"policy":"x","version":"1","rules":[{"id":"r","action":"limit",'"$rule"'}]}'
status 0 policy check "$dir/p.json"; says ', 1 rule'; grep -q '1 rules' "$dir/out" && wrong '1 rules'
status 0 policy show "$dir/p.json"; says 'x/1@'; grep -q warning "$dir/out" && wrong 'a warning without cause'
try '{"policy":"x","version":"1","rules":[]}'
status 0 policy check "$dir/p.json"; says 'warning: no rules: every post is allowed'
try '{"policy":"x","version":"1","rules":[{"id":"r","action":"delete",'"$rule"'}]}'
status 78 policy check "$dir/p.json"; says "unknown action 'delete': one of allow, label, limit, review, remove"
try '{"policy":"x","version":"1","rules":[{"id":"r","action":"limit",'"$rule"'},\n]}'
status 78 policy check "$dir/p.json"; says 'line 2'; says 'the comma before it has nothing behind it'
try '{"policy":"x","version":"1","rules":[],}'
status 78 policy check "$dir/p.json"; says 'the comma before it'
try '{"policy":"x","version":"1","rules":[ }'
status 78 policy check "$dir/p.json"; grep -q comma "$dir/out" && wrong 'a comma that is not there'
status 2 policy show a b; says 'show [FILE]'
exit $bad
