#!/bin/sh
# Installs what is missing of deploy/packages/<list>.txt: install-packages.sh run build test
# Calls apt-get only when something is missing; as root, or through sudo. Says what to do where neither works.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { echo "usage: $0 LIST... (run, build, test, bench)" >&2; exit 2; }

wanted=$(for list in "$@"; do sed 's/#.*//' "$here/packages/$list.txt"; done | tr -s ' \t\n' '\n' | sed '/^$/d')
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is no Debian: please see that these, or what they are called here, are installed:" >&2
    printf '  %s\n' $wanted >&2
    exit 0
fi

missing=
for p in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=sudo
    else
        echo "Packages are missing and this user may not install them. As root:" >&2
        echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi
echo "installing:$missing"
$as_root apt-get -q update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
