# apt-suite.sh: packages of another release of Debian, without touching this one.  To be sourced by a script that
# has give_up(), with $suite the release's name and $work a folder, which is made anew: apt gets its own sources,
# lists and cache there.  After it `apt COMMAND ...` is apt-get for that release.
# shellcheck shell=sh disable=SC2154,SC1091
command -v apt-get >/dev/null && command -v dpkg >/dev/null || give_up "this system has no apt-get and dpkg"
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ -n "$codename" ] || give_up "/etc/os-release names no release"

rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" || give_up "$work cannot be made"
work=$(cd "$work" && pwd)

# The machine's own Debian sources, this release's name replaced; other archives,
# and the update and security suites, are left out.
{
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$list" ] && sed -n "s/^\(deb .*\) $codename \(.*\)/\1 $suite main/p" "$list"
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		[ -f "$list" ] && awk -v codename="$codename" -v next_suite="$suite" '
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
