#!/bin/sh
# Installs mbsync (Debian's package isync) for the benchmark. Does nothing where
# it is there already. Where it can not be installed, it says so and ends well:
# the benchmark then has nothing to compare with.
set -eu
. "$(dirname "$0")/debian.sh"

if command -v mbsync >/dev/null; then
	exit 0
fi
if install_packages isync && command -v mbsync >/dev/null; then
	exit 0
fi
echo 'NOT INSTALLED: mbsync: the benchmark will compare with nothing' >&2
