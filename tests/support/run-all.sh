#!/bin/sh
# run-all.sh: every suite, one after the other; the last line adds up what each of them counted.
# A suite that ends without a count is a failure of its own.
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

suite() {
	name=$1
	shift
	echo "== $name"
	{ "$@" 2>&1; echo "status $?"; } | tee "$log" | grep -v '^status [0-9]*$'
	status=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$log" | tail -1)
	line=$(grep -E "^$name: [0-9]+ passed, [0-9]+ failed" "$log" | tail -1)
	p=$(echo "$line" | sed -n 's/^[^:]*: \([0-9]*\) passed.*/\1/p')
	f=$(echo "$line" | sed -n 's/.* \([0-9]*\) failed.*/\1/p')
	s=$(echo "$line" | sed -n 's/.* \([0-9]*\) skipped.*/\1/p')
	if [ -z "$line" ] || { [ "$status" != 0 ] && [ "${f:-0}" = 0 ]; }; then
		echo "$name: ended with status $status without saying what failed"
		f=$((${f:-0} + 1))
	fi
	passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
}

make=${MAKE:-make}
suite unit $make --no-print-directory SAN="$SAN" unit
suite fuzz $make --no-print-directory SAN="$SAN" fuzz-replay
suite e2e sh tests/support/run-e2e.sh

echo "eds: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
