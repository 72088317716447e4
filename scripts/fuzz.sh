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
	for attempt in 1 2 3; do
		# Goroutines make each run of some a little different, and making an input
		# of interest smaller would never end.
		if go test -run '^$' -fuzz "^$3\$" -fuzzminimizetime 100x -fuzztime "${FUZZTIME:-30s}" -parallel 1 "./$2" >"$log" 2>&1; then
			# The last line of progress says how much was tried.
			echo "$2 $3: $(sed -n 's/.*execs: \([0-9]*\) .*/\1 tried/p' "$log" | tail -n 1)"
			exit 0
		fi
		# Before Go 1.27 go test can take the end of its own time for a failure
		# (golang/go#75804), on a busy machine above all. What a target finds is
		# always reported with the input that was kept.
		if grep -q 'Failing input written to' "$log" || ! grep -q '^ *context deadline exceeded$' "$log"; then
			break
		fi
		echo "$2 $3: go test ended late and not by a finding, attempt $attempt"
	done
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
