#!/bin/sh
# deps.sh SUDO PACKAGE...: installs the packages that are missing, and only those.
#
# Among them are servers for the tests, which start their own.  The packages' are not to run: while they
# are installed, services stay as they are, and PostgreSQL's makes no cluster.
sudo=$1; shift
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/eds-deps.conf
log=$(mktemp) || exit 1
made=
[ -e $policy ] || made=$policy
trap '$sudo rm -f $made $cluster; rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
[ -z "$made" ] || $sudo sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
$sudo sh -c "mkdir -p ${cluster%/*} && echo 'create_main_cluster = off' >$cluster"
# Not through the environment: sudo would drop it, and a question of a package would never be seen.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null 2>"$log" || {
	cat "$log" >&2
	echo "deps: could not install$missing; run 'apt-get update' first and check the package sources" >&2
	exit 1
}
