#!/bin/sh
# Runs each fuzz target of the tree for FUZZTIME, one after the other.
set -eu
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' '^func Fuzz' pkg cmd | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
		echo "$(dirname "$file") $target"
		# Goroutines make each run a little different, and making an input of
		# interest smaller would never end.
		go test -run '^$' -fuzz "^$target\$" -fuzzminimizetime 100x -fuzztime "${FUZZTIME:-30s}" "./$(dirname "$file")"
	done
done
