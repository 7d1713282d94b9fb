#!/bin/sh
# Runs every fuzz target of the tree for the given time, one after the other.
set -eu
cd "$(dirname "$0")/../.."
time=${1:-1m}
count=0
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | sort); do
	dir=$(dirname "$file")
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzz: $dir $name ($time)"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "./$dir"
		count=$((count + 1))
	done
done
echo "fuzz: $count targets, $time each"
[ "$count" -gt 0 ]
