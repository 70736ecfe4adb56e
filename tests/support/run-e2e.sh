#!/bin/sh
# run-e2e.sh [PYTEST ARGUMENTS]: the laboratory's own tests, then the real programs from end to end.
# EDS_BUILD names the build to test.  The last line counts; without arguments everything runs.
python=${PYTHON:-/usr/bin/python3}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
export PYTHONDONTWRITEBYTECODE=1
[ $# -gt 0 ] || set -- tests/unit/lab tests/e2e

# What Shopmonkey runs is newer than Debian 12's nats-server; the tests take a newer one if there is one.
sh tests/support/fetch-nats-server.sh

# Several at a time where pytest can: most of a test's time is waiting.
parallel=
$python -c 'import xdist' 2>/dev/null && parallel="-n ${EDS_TEST_JOBS:-4}"

{ $python -m pytest -q -p no:cacheprovider --tb=short $parallel "$@" 2>&1; echo "status $?"; } | tee "$log" |
	grep -v '^status [0-9]*$'
status=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$log" | tail -1)
summary=$(grep -E '^=*[ ]*[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s' "$log" | tail -1)

count() {
	n=$(echo "$summary" | grep -oE "[0-9]+ $1s?\b" | head -1)
	echo "${n%% *}"
}
passed=$(count passed) failed=$(count failed) errors=$(count error) skipped=$(count skipped) expected=$(count xfailed)
failed=$((${failed:-0} + ${errors:-0}))
if [ "$status" != 0 ] && [ $failed -eq 0 ]; then
	echo "e2e: pytest ended with status $status without saying what failed"
	failed=1
fi
[ -z "$expected" ] || echo "e2e: $expected known to fail, as expected"
echo "e2e: ${passed:-0} passed, $failed failed, ${skipped:-0} skipped"
[ $failed -eq 0 ] && [ "${passed:-0}" -gt 0 ]
