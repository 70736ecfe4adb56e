#!/bin/sh
# fetch-nats-server.sh: puts a nats-server of at least 2.10 into build/tools, for
# the tests that need filter_subjects.  Debian 12 has 2.9; the package of the next
# release runs on it.  Nothing outside build/tools is touched: apt gets its own
# sources, lists and cache there.  Always exits 0; without a newer server the tests
# use the one that is installed.
cd "$(dirname "$0")/../.." || exit 0
tools=build/tools
next=trixie
work=$tools/apt

give_up() {
	echo "fetch-nats-server: $1; the tests use the installed nats-server"
	exit 0
}

new_enough() {
	"$1" --version 2>/dev/null | grep -Eq 'v(2\.[1-9][0-9]+|[3-9])\.'
}

for have in "$EDS_TEST_NATS_SERVER" $tools/nats-server* "$(command -v nats-server)" /usr/sbin/nats-server; do
	if [ -f "$have" ] && new_enough "$have"; then
		echo "fetch-nats-server: $have is new enough"
		exit 0
	fi
done
command -v apt-get >/dev/null && command -v dpkg >/dev/null || give_up "this system has no apt-get and dpkg"
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$codename" ] || give_up "/etc/os-release names no release"

rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" || give_up "$work cannot be made"
work=$(cd "$work" && pwd)

# The machine's own Debian sources, this release's name replaced; other archives,
# and the update and security suites, are left out.
{
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$list" ] && sed -n "s/^\(deb .*\) $codename \(.*\)/\1 $next main/p" "$list"
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		[ -f "$list" ] && awk -v codename="$codename" -v next_suite="$next" '
			function flush_stanza() {
				n = split(suites, s, " ")
				for (i = 1; i <= n; i++)
					if (s[i] == codename && types ~ /(^| )deb( |$)/) {
						m = split(uris, u, " ")
						for (j = 1; j <= m; j++)
							print "deb " (key ? "[signed-by=" key "] " : "") u[j] " " next_suite " main"
					}
				suites = types = uris = key = ""
			}
			/^[ \t]*$/        { flush_stanza() }
			/^Suites:/        { sub(/^[^:]*:[ \t]*/, ""); suites = $0 }
			/^Types:/         { sub(/^[^:]*:[ \t]*/, ""); types = $0 }
			/^URIs:/          { sub(/^[^:]*:[ \t]*/, ""); uris = $0 }
			/^Signed-By: *\// { sub(/^[^:]*:[ \t]*/, ""); key = $0 }
			END               { flush_stanza() }' "$list"
	done
} >"$work/sources.list"
[ -s "$work/sources.list" ] || give_up "no Debian source for $codename is configured on this machine"

apt() {
	apt-get -q -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/parts" \
		-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}
apt update >"$work/log" 2>&1 || give_up "apt-get update failed: $(grep '^[EW]:' "$work/log" | head -n 1)"
(cd "$work" && apt download nats-server >>log 2>&1) ||
	give_up "apt-get download failed: $(grep '^E:' "$work/log" | tail -n 1)"
for package in "$work"/nats-server_*.deb; do
	dpkg -x "$package" "$work/tree" || give_up "$package cannot be unpacked"
done
found=$(find "$work/tree" -type f -name nats-server | head -n 1)
if [ -z "$found" ] || ! new_enough "$found"; then
	give_up "the package holds no newer nats-server that runs here"
fi
mv "$found" "$tools/nats-server" && rm -rf "$work"
echo "fetch-nats-server: $("$tools/nats-server" --version) in $tools"
