#!/bin/sh
# The embedded default in the situations that DESIGN 10 names: a long path under a home of mode 0700, again, after a
# crash with a stale postmaster.pid, after an interrupt, in two clones at once, and (when the tests run as root) as a
# user who may do nothing.
set -u
w=${BUILD:-build}/winnow
[ -x "$w" ] || { echo "# $w is not built"; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-embedded.XXXXXX") || exit 1
places=
clean() {
    for p in $places; do (cd "$p" && deploy/embedded.sh remove) >/dev/null 2>&1; done
    rm -rf "$dir"
}
trap clean EXIT
bad=0
wrong() { echo "# $*"; bad=1; }
# What a clone has after make, without compiling it again.
clone() {
    mkdir -p "$1/build" "$1/model/weights" "$1/policies" && cp "$w" "$1/build/winnow" && cp -R deploy "$1/" &&
        cp -R model/weights/winnow "$1/model/weights/" && cp policies/*.json "$1/policies/"
    places="$places $1"
}
# NAME FOLDER WANTED-LINE: runs the default there
go() {
    (cd "$2" && deploy/embedded.sh) >"$dir/out.$1" 2>&1 || wrong "$1: exit $?: $(tail -n 3 "$dir/out.$1")"
    grep -q "$3" "$dir/out.$1" || wrong "$1: no line '$3': $(tail -n 3 "$dir/out.$1")"
    grep -q '^Audit trail: [1-9]' "$dir/out.$1" || wrong "$1: no table of verdicts"
}
table() { sed -n '/^Records/,/^Sources/p' "$1"; }

# a home of mode 0700, and a path of over 150 characters
home=$dir/home
long=$home/$(printf 'a-folder-with-a-rather-long-name-%.0s' 1 2 3 4 5)/clone
mkdir -p "$home" && chmod 0700 "$home"
clone "$long"
[ ${#long} -gt 150 ] || wrong 'the path is too short for this test'
go first "$long" '^[1-9][0-9]* new posts done'
grep -q ' warn ' "$dir/out.first" && wrong "an alarm in a good start: $(grep -m 1 ' warn ' "$dir/out.first")"
go again "$long" '^0 new posts done'
[ "$(table "$dir/out.first")" = "$(table "$dir/out.again")" ] || wrong 'again: another table than the first time'

# a crash of the server: its postmaster.pid stays, and the number is another process's by now
(cd "$long" && deploy/embedded.sh start) >/dev/null 2>&1
place=$(cat "$long/.winnow/database" 2>/dev/null || echo "$long/.winnow/pg")
kill -9 "$(head -n 1 "$place/data/postmaster.pid")"
sed -i "1s/.*/$$/" "$place/data/postmaster.pid"
go crashed "$long" '^0 new posts done'

# a server that was left running is used
(cd "$long" && deploy/embedded.sh start) >/dev/null 2>&1
go running "$long" 'runs already'
[ ! -s "$place/data/postmaster.pid" ] || wrong 'the server still runs'

# somebody who reads two lines and goes: nothing is left running
(cd "$long" && deploy/embedded.sh 2>/dev/null | head -n 2) >"$dir/out.head"
[ "$(wc -l <"$dir/out.head")" -eq 2 ] || wrong 'head: two lines were wanted'
[ ! -s "$place/data/postmaster.pid" ] || wrong 'head: the server still runs'

# two clones at once, one of them interrupted on its way and run again
clone "$dir/one"
clone "$dir/two"
(go one "$dir/one" '^[1-9][0-9]* new posts done'; exit $bad) &
pid=$!
(cd "$dir/two" && exec timeout -s INT 1 deploy/embedded.sh) >/dev/null 2>&1
go two "$dir/two" 'new posts done'
wait $pid || bad=1
[ "$(table "$dir/out.one")" = "$(table "$dir/out.two")" ] || wrong 'two clones came to different tables'

# somebody without rights, in a path that a shell must quote
if [ "$(id -u)" -eq 0 ]; then
    odd="$dir/it's odd"
    chmod 0755 "$dir"
    places_before=$places
    clone "$odd"
    places=$places_before
    chown -R nobody "$odd"
    (cd "$odd" && setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups env HOME=/nonexistent deploy/embedded.sh &&
        setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups deploy/embedded.sh remove) >"$dir/out.odd" 2>&1 ||
        wrong "unprivileged: $(tail -n 3 "$dir/out.odd")"
    grep -q '^[1-9][0-9]* new posts done' "$dir/out.odd" || wrong 'unprivileged: nothing was judged'
fi
exit $bad
