#!/bin/sh
# deps.sh SUDO PACKAGE...: installs the packages that are missing, and only those.
sudo=$1; shift
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
# Not through the environment: sudo would drop it, and a question of a package would never be seen.
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null 2>"$log" || {
	cat "$log" >&2
	echo "deps: could not install$missing; run 'apt-get update' first and check the package sources" >&2
	exit 1
}
