#!/bin/sh
# Builds the commit that is checked out twice, in two folders and each with a
# build cache of its own, and compares the programs byte for byte.
set -eu
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

build() {
	mkdir "$dir/$1"
	git archive HEAD | tar -x -C "$dir/$1"
	GOCACHE="$dir/cache of $1" make -s -C "$dir/$1" build VERSION=same COMMIT=same >&2
	sha256sum <"$dir/$1/bin/mailpull"
}

first=$(build first)
second=$(build "second, elsewhere")
if [ "$first" != "$second" ]; then
	echo "two builds of one commit differ: $first and $second"
	exit 1
fi
line=$(printf '%-4s %8d  %s' C7 2 "builds of one commit in two places, the same byte for byte")
echo "$line"
if [ -n "${MAILPULL_FIGURES:-}" ]; then
	echo "$line" >>"$MAILPULL_FIGURES"
fi
