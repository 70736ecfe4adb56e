#!/bin/sh
# fetch-nats-server.sh: puts a nats-server of at least 2.10 into build/tools, for
# the tests that need filter_subjects.  Debian 12 has 2.9; the package of the next
# release runs on it.  Nothing outside build/tools is touched: apt gets its own
# sources, lists and cache there.  Always exits 0; without a newer server the tests
# use the one that is installed.
cd "$(dirname "$0")/../.." || exit 0
tools=build/tools
suite=trixie
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
. tests/support/apt-suite.sh
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
