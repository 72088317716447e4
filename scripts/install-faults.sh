#!/bin/sh
# Installs what make faults calls: strace, mkfs.ext4, mount, prlimit, and the C
# compiler that the race detector needs. Does nothing where they are there
# already. Where they cannot be installed, it says so and ends well, unless
# MAILPULL_REQUIRE_FAULTS=1.
set -eu
. "$(dirname "$0")/debian.sh"

PATH="$PATH:/usr/sbin:/sbin"
missing() {
	for tool in strace mkfs.ext4 mount prlimit cc; do
		command -v "$tool" >/dev/null || return 0
	done
	return 1
}

missing || exit 0
if install_packages strace e2fsprogs mount util-linux gcc libc6-dev && ! missing; then
	exit 0
fi
echo 'NOT INSTALLED: strace, e2fsprogs, mount, util-linux or gcc: parts of the fault programme will be skipped' >&2
if [ "${MAILPULL_REQUIRE_FAULTS:-}" = 1 ]; then
	exit 1
fi
