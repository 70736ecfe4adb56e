#!/bin/sh
# run-unit.sh PROGRAM...: runs each cmocka program; the last line counts the tests.
# A program that dies without a summary counts as one failure.
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM
for t in "$@"; do
	"$t" >"$out" 2>&1
	rc=$?
	p=$(grep -c '^\[       OK \]' "$out")
	f=$(grep '^\[  FAILED  \] [a-z0-9_]*$' "$out" | sort -u | wc -l)	# named where it failed and again in the summary
	s=$(grep '^\[  SKIPPED \] [a-z0-9_]*$' "$out" | sort -u | wc -l)
	if [ $rc -ne 0 ] || [ "$p" -eq 0 ]; then
		[ "$f" -gt 0 ] || f=1
		cat "$out"
		echo "unit: $t: exit status $rc"
	elif [ "$s" -gt 0 ]; then
		grep -v '^\[' "$out"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "unit: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
