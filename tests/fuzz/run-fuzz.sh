#!/bin/sh
# run-fuzz.sh run|replay SECONDS FOLDER TARGET...
# run:    fuzzes each FOLDER/TARGET for its share of SECONDS; the corpus is copied first, so that nothing
#         found by chance lands among the committed seeds.  An input that ends a target is kept in FOLDER.
# replay: feeds each FOLDER/TARGET its corpus once.
# The last line counts; a target without a corpus has failed.
mode=$1 seconds=$2 folder=$3
shift 3
passed=0 failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
share=1
[ $# -eq 0 ] || share=$((seconds / $#))
[ $share -ge 1 ] || share=1

one() {
	corpus=tests/fuzz/corpus/${1#fuzz_}
	if [ ! -d "$corpus" ]; then
		echo "fuzz: $1: no seeds in $corpus"
		return 1
	fi
	if [ "$mode" = replay ]; then
		"$folder/$1" "$corpus"
		return
	fi
	cp -R "$corpus" "$scratch/$1" || return 1
	if "$folder/$1" -max_total_time=$share -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=128 -print_final_stats=1 \
	    -artifact_prefix="$folder/$1-" "$scratch/$1" >"$scratch/log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/log")
		echo "fuzz: $1: $runs inputs in $share s"
		return
	fi
	cat "$scratch/log"
	echo "fuzz: $1: failed; the input is $folder/$1-..."
	return 1
}

for target in "$@"; do
	if one "$target"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
