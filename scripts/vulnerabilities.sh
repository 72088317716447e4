#!/bin/sh
# Asks govulncheck whether the program or its tests call code with a known
# vulnerability.
#
# The database is that of vuln.go.dev. Where that host cannot be reached, it is
# built from its source, the newest golang.org/x/vulndb that the module proxy
# has. Only where neither can be had is there nobody to ask, and the script says
# so and why.
set -eu
cd "$(dirname "$0")/.."

govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0
vulndb=golang.org/x/vulndb

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

GOBIN=$dir go install "$govulncheck"

# build_database makes the layout that govulncheck reads, with the program that
# the database's source has for it.
build_database() {
	go mod download -json "$vulndb@latest" >"$dir/module.json" || return 1
	version=$(sed -n 's/^\t"Version": "\(.*\)",$/\1/p' "$dir/module.json")
	source=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' "$dir/module.json")
	GOBIN=$dir go install "$vulndb/cmd/indexdb@$version" || return 1
	"$dir/indexdb" -vulns "$source/data/osv" -out "$dir/db"
}

# ask sets status to what govulncheck ends with: 3 stands for a finding.
ask() {
	status=0
	"$dir/govulncheck" "$@" -test ./... >"$dir/findings" 2>"$dir/errors" || status=$?
}

# report says a line, and keeps it for the end of make faults.
report() {
	echo "$1"
	if [ -n "${MAILPULL_FIGURES:-}" ]; then
		echo "$1" >>"$MAILPULL_FIGURES"
	fi
}

from=vuln.go.dev
ask
if [ "$status" != 0 ] && [ "$status" != 3 ]; then
	if ! grep -q 'fetching vulnerabilities' "$dir/errors"; then
		cat "$dir/errors"
		exit 1
	fi
	if ! build_database 2>"$dir/module"; then
		report 'SKIPPED: govulncheck: no database can be reached'
		tail -n 1 "$dir/errors" "$dir/module"
		exit 0
	fi
	from="$vulndb $version"
	ask -db "file://$dir/db"
fi
cat "$dir/findings"
if [ "$status" != 0 ]; then
	cat "$dir/errors"
	exit 1
fi
report "$(printf '%-4s %8d  %s' C7 1 "database of vulnerabilities asked, $from: nothing of it is called")"
