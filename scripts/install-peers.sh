#!/bin/sh
# Installs the other fetchers for make bench-peers, each where it is missing, and
# safecat, through which fetchmail delivers into Maildir. Where one can not be
# installed, it says so and ends well: the benchmark then compares with the rest.
set -eu
. "$(dirname "$0")/debian.sh"

# Programs and their Debian packages.
peers='mbsync:isync fetchmail:fetchmail mpop:mpop fdm:fdm getmail:getmail6 offlineimap:offlineimap3 safecat:safecat'

missing() {
	for peer in $peers; do
		command -v "${peer%%:*}" >/dev/null || echo "${peer##*:}"
	done
}

packages=$(missing)
if [ -z "$packages" ]; then
	exit 0
fi
# One after the other: a package that is not there must not keep the rest away.
for package in $packages; do
	install_packages "$package" || true
done
for package in $(missing); do
	echo "NOT INSTALLED: $package: the benchmark will not compare with it" >&2
done
