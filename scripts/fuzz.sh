#!/bin/sh
# Runs each fuzz target of the tree for FUZZTIME (30s), FUZZJOBS (2) of them at
# a time with one worker each. All are run to their end; those that failed are
# named then, and what they found stands in testdata/fuzz of their package.
set -eu
cd "$(dirname "$0")/.."

# The script calls itself with --target for each of them.
if [ "${1:-}" = --target ]; then
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# Goroutines make each run of some a little different, and making an input
	# of interest smaller would never end.
	if go test -run '^$' -fuzz "^$3\$" -fuzzminimizetime 100x -fuzztime "${FUZZTIME:-30s}" -parallel 1 "./$2" >"$log" 2>&1; then
		# The last line of progress says how much was tried.
		echo "$2 $3: $(sed -n 's/.*execs: \([0-9]*\) .*/\1 tried/p' "$log" | tail -n 1)"
		exit 0
	fi
	echo "FAILED: $2 $3"
	cat "$log"
	exit 1
fi

list=$(mktemp)
trap 'rm -f "$list"' EXIT
grep -r --include='*_test.go' '^func Fuzz' pkg cmd |
	sed -n 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\)(.*/\1 \2/p' | sort >"$list"
test -s "$list" || { echo 'there is no fuzz target'; exit 1; }
xargs -P "${FUZZJOBS:-2}" -n 2 "$0" --target <"$list"
targets=$(wc -l <"$list")
line=$(printf '%-4s %8d  %s' C5 "$targets" "fuzz targets, ${FUZZTIME:-30s} each, nothing found")
echo "$line"
if [ -n "${MAILPULL_FIGURES:-}" ]; then
	echo "$line" >>"$MAILPULL_FIGURES"
fi
