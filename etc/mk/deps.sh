#!/bin/sh
# deps.sh SUDO PACKAGE...: installs the packages that are missing, and only those.
sudo=$1; shift
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get install -y -q --no-install-recommends $missing >/dev/null 2>/tmp/eds-deps.$$ || {
	cat /tmp/eds-deps.$$ >&2; rm -f /tmp/eds-deps.$$
	echo "deps: could not install$missing; run 'apt-get update' first and check the package sources" >&2
	exit 1
}
rm -f /tmp/eds-deps.$$
