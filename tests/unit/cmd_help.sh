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
for sub in run score migrate status review policy train eval; do
    says "  $sub "
done
for sub in run score migrate status review policy train eval; do
    status 0 "$sub" --help
    says "winnow $sub"
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
status 2 policy
status 78 status; says 'database.url is not set'
status 78 run --no.such.option=1; says 'no.such.option'
status 78 run --http.listen=nowhere --database.url=host=/nonexistent; says 'http.listen'

printf '# comment\nlog.level = info\ningest.topik = posts\n' >"$dir/a.conf"
status 78 run --config "$dir/a.conf"; says 'a.conf:3'; says 'ingest.topik'
printf 'store.batch_rows = many\n' >"$dir/b.conf"
status 78 migrate --config "$dir/b.conf"; says 'b.conf:1'; says 'store.batch_rows'
printf '\n\nhttp.listen = nowhere\ndatabase.url = host=/nonexistent\n' >"$dir/d.conf"
status 78 run --config "$dir/d.conf"; says 'd.conf:3'; says 'http.listen'
printf 'kafka.enable.auto.commit = true\n' >"$dir/c.conf"
status 78 run --config "$dir/c.conf"; says 'c.conf:1'; says 'enable.auto.commit'
printf '{"policy":"x","version":"1","rules":[{"id":"r","when":"flag.nonsense","action":"remove"}]}' >"$dir/p.json"
status 78 policy check "$dir/p.json"; says 'p.json'
status 0 policy show; says 'rules'
exit $bad
