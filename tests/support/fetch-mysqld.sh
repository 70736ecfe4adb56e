#!/bin/sh
# fetch-mysqld.sh: puts Oracle's MySQL, as Debian's sid has it, with the libraries it needs into build/tools/mysql, for
# tests/e2e/test_mysql_real.py.  Nothing outside build/tools is touched.  Half a gigabyte; nobody calls it unasked.
cd "$(dirname "$0")/../.." || exit 1
tools=build/tools
suite=sid
work=$tools/apt-mysql

give_up() {
	echo "fetch-mysqld: $1"
	exit 1
}

. tests/support/apt-suite.sh
# With no package said to be installed, all that the server needs comes along.
: >"$work/status"
apt -o "Dir::State::status=$work/status" -y --no-install-recommends --download-only install mysql-server-core >>"$work/log" 2>&1 ||
	give_up "the packages cannot be fetched: $(grep '^E:' "$work/log" | tail -n 1)"
for package in "$work"/cache/archives/*.deb; do
	dpkg -x "$package" "$work/tree" || give_up "$package cannot be unpacked"
done
[ -x "$work/tree/usr/sbin/mysqld" ] || give_up "the packages hold no mysqld"
rm -rf "$tools/mysql"
mv "$work/tree" "$tools/mysql" && rm -rf "$work"
echo "fetch-mysqld: $tools/mysql/usr/sbin/mysqld"
