#!/bin/sh
# Compares the modules that the program and its tests are made of with those
# that are allowed, in modules.txt. There are at most 45: each is somebody to
# trust. A dozen of them come with the listener's TLS and passwords, see ADR 11.
# After a decision, -update writes the list anew.
set -eu
cd "$(dirname "$0")/.."

list=$(mktemp)
trap 'rm -f "$list"' EXIT
go list -deps -test -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}' ./... | sort -u >"$list"
if [ "${1:-}" = -update ]; then
	cp "$list" scripts/modules.txt
fi
diff -u scripts/modules.txt "$list" || { echo 'scripts/modules.txt does not allow these modules'; exit 1; }
modules=$(wc -l <"$list")
if [ "$modules" -gt 45 ]; then
	echo "$modules modules, and 45 are enough"
	exit 1
fi
line=$(printf '%-4s %8d  %s' C7 "$modules" 'modules, all of them allowed')
echo "$line"
if [ -n "${MAILPULL_FIGURES:-}" ]; then
	echo "$line" >>"$MAILPULL_FIGURES"
fi
