#!/bin/sh
# The embedded default (`make run`): a private PostgreSQL, the shipped model and policy, the sample posts.
#
#   deploy/embedded.sh            migrate, judge deploy/samples/posts.jsonl, print the verdicts, stop
#   deploy/embedded.sh start      only start the database and print its connection string
#   deploy/embedded.sh stop       stop it
#   deploy/embedded.sh remove     stop it and delete its data
#
# Nothing listens on a network: PostgreSQL has a Unix socket in a folder of mode 0700. It keeps everything in .winnow/,
# or, where that cannot be (root, a path that PostgreSQL's user cannot reach, or one too long for a socket's name), in
# a short private folder that .winnow/database names. See deploy/README.md.
set -eu
umask 077
root=$(cd "$(dirname "$0")/.." && pwd -P)
winnow=$root/build/winnow
samples=${SAMPLES:-$root/deploy/samples/posts.jsonl}
state=$root/.winnow
say() { printf '%s\n' "$*"; }
die() { printf 'make run: %s\n' "$*" >&2; exit 1; }

# The default is the default: neither this machine's configuration nor this shell's changes it.
for v in $(env | sed -n 's/^\(WINNOW_[A-Z0-9_]*\)=.*/\1/p'); do unset "$v"; done
WINNOW_CONFIG=/dev/null
export WINNOW_CONFIG

# --- who runs PostgreSQL: it refuses root ---
if [ "$(id -u)" -eq 0 ]; then
    db_user=postgres
    id "$db_user" >/dev/null 2>&1 || db_user=nobody
    as_db() { setpriv --reuid="$db_user" --regid="$(id -g "$db_user")" --clear-groups env HOME=/ "$@"; }
else
    db_user=$(id -un)
    as_db() { "$@"; }
fi

pg_bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
[ -x "$pg_bin/initdb" ] || pg_bin=$(pg_config --bindir 2>/dev/null || true)
[ -x "$pg_bin/initdb" ] || die "PostgreSQL's initdb was not found; set PG_BIN to its folder"

# --- where it lives ---
# A Unix socket's name has at most 107 bytes; the folder's must be plain too, as it goes through three parsers.
fits() {
    name=$1/socket/.s.PGSQL.5432
    [ ${#name} -le 100 ] || return 1
    case $1 in *[!A-Za-z0-9/._-]*) return 1 ;; esac
}

reachable() { # by the user of PostgreSQL, which may not enter a home of mode 0700
    mkdir -p "$1/socket" 2>/dev/null || return 1
    [ "$(id -u)" -eq 0 ] || return 0
    chown "$db_user" "$1" "$1/socket" && as_db test -w "$1/socket" 2>/dev/null
}

private_folder() { # a name that two clones do not share, in a place that outlives a reboot
    hash=$(printf '%s' "$root" | sha256sum | cut -c1-12)
    for parent in ${EMBEDDED_PARENT:-/var/tmp /tmp}; do
        [ -d "$parent" ] || continue
        dir=$parent/winnow-$(id -u)-$hash
        mkdir -m 0700 "$dir" 2>/dev/null || true
        owner=$(stat -c %U "$dir" 2>/dev/null || true)
        if [ -d "$dir" ] && [ ! -L "$dir" ] && { [ "$owner" = "$(id -un)" ] || [ "$owner" = "$db_user" ]; }; then
            chmod 0700 "$dir"
            printf '%s' "$dir"
            return 0
        fi
    done
    return 1
}

choose_place() {
    place=$state/pg
    if fits "$place" && reachable "$place"; then
        rm -f "$state/database"
        return 0
    fi
    rmdir "$place/socket" "$place" 2>/dev/null || true
    place=$(private_folder) || die "no private folder could be made in /var/tmp or /tmp"
    reachable "$place" || die "$place cannot be used by the user $db_user"
    printf '%s\n' "$place" >"$state/database"
}

# --- its life ---
alive() { as_db "$pg_bin/pg_isready" -q -h "$place/socket" -p 5432 2>/dev/null; }

# A postmaster.pid left by a crash stops the next start when that number belongs to another process by now (likely in
# containers, where numbers are small). It is removed only if that process is not the server of this very folder.
drop_stale_pid() {
    [ -s "$place/data/postmaster.pid" ] || return 0
    pid=$(head -n 1 "$place/data/postmaster.pid")
    case $pid in '' | *[!0-9]*) pid=0 ;; esac
    if [ -r "/proc/$pid/cmdline" ] && tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "$place/data"; then
        return 0
    fi
    rm -f "$place/data/postmaster.pid" "$place/socket/.s.PGSQL.5432" "$place/socket/.s.PGSQL.5432.lock"
}

make_cluster() {
    [ -s "$place/data/PG_VERSION" ] && return 0
    say "making a private PostgreSQL in $place"
    as_db rm -rf "$place/data.new" "$place/data" # of an initdb that was interrupted
    (cd / && as_db "$pg_bin/initdb" -D "$place/data.new" -U winnow --auth-local=trust --auth-host=reject \
        --encoding=UTF8 --locale=C >"$place/initdb.log" 2>&1) || { cat "$place/initdb.log" >&2; die "initdb failed"; }
    as_db mv "$place/data.new" "$place/data"
}

start_database() {
    choose_place
    if alive; then
        say "the private PostgreSQL of $place runs already"
    else
        make_cluster
        drop_stale_pid
        tries=0
        until (cd / && as_db "$pg_bin/pg_ctl" -s -w -t 60 -D "$place/data" -l "$place/data/server.log" \
            -o "-c listen_addresses='' -c unix_socket_directories=$place/socket -c unix_socket_permissions=0700 -p 5432" \
            start >/dev/null 2>&1); do
            # backends of a postmaster that was killed need a moment to notice
            tries=$((tries + 1))
            [ $tries -lt 5 ] || { as_db tail -n 20 "$place/data/server.log" >&2; die "PostgreSQL did not start"; }
            sleep 1
            drop_stale_pid
        done
    fi
    # libpq's variables, not a flag: nothing of it is in the process list
    WINNOW_DATABASE_URL="host=$place/socket port=5432 user=winnow dbname=winnow"
    export WINNOW_DATABASE_URL
    "$pg_bin/psql" -X -q -h "$place/socket" -U winnow -d postgres -Atc \
        "SELECT 1 FROM pg_database WHERE datname = 'winnow'" | grep -q 1 ||
        "$pg_bin/createdb" -h "$place/socket" -U winnow winnow
}

stop_database() {
    trap '' PIPE # nobody may be there to read any more
    [ -s "$place/data/postmaster.pid" ] || return 0
    (cd / && as_db "$pg_bin/pg_ctl" -s -w -t 60 -D "$place/data" -m fast stop) >/dev/null 2>&1 || true
}

# One at a time in one clone; another clone has its own lock. The folder itself may be entered by PostgreSQL's user;
# what is in it may not be read by anyone else.
[ -d "$state" ] || mkdir -m 0755 "$state" || die "cannot write to $root"
exec 9>"$state/lock"
if ! flock -n 9; then
    say "another run is at work in this folder; waiting for it"
    flock 9
fi

case ${1:-all} in
start)
    start_database 9>&-
    say "$WINNOW_DATABASE_URL"
    exit 0 ;;
stop)
    choose_place
    stop_database
    exit 0 ;;
remove)
    choose_place
    stop_database
    rm -rf "$place" "$state/pg" "$state/database"
    exit 0 ;;
all) ;;
*) die "say start, stop or remove" ;;
esac

[ -x "$winnow" ] || die "$winnow is not built: run make"
trap 'stop_database' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE # of ours: `make run | head -2`; without it the shell dies and EXIT is not run
# a daemon that inherits the lock would keep it: 9>&-
start_database 9>&-
"$winnow" migrate 9>&-

say "judging the posts of $samples"
# from_start: after a change of the sample file it is read again; what was judged before then counts as a repeat
"$winnow" run --progress --ingest.source=jsonl --ingest.path="$samples" --ingest.from_start=true \
    --http.listen=127.0.0.1:0 --log.level=warn 9>&- || die "the run did not end well (status $?)"
say
"$winnow" status --top=10 9>&-
say
say "The audit trail and all else is in the private PostgreSQL of $place, which is stopped now. To look at it:"
say "  deploy/embedded.sh start"
say "  build/winnow review list --database.url=\"$WINNOW_DATABASE_URL\"   (status: the same)"
say "  $pg_bin/psql -h $place/socket -U winnow winnow   (winnow.verdict_readable, winnow.audit)"
say "  deploy/embedded.sh stop; deploy/embedded.sh remove deletes it with all that is in it"
say "Score a text of your own:  build/winnow score \"You won! Claim your prize at http://prize.example\""
say "Posts of your own: deploy/FORMATS.md"
