#!/bin/sh
# Installs what make real calls: Chromium, Prometheus with its promtool, and
# systemd-analyze. Does nothing where they are there already. Where they cannot be
# installed, it says so and ends well, unless MAILPULL_REQUIRE_REAL=1.
set -eu
. "$(dirname "$0")/debian.sh"

missing() {
	for tool in chromium prometheus promtool systemd-analyze; do
		command -v "$tool" >/dev/null || return 0
	done
	return 1
}

missing || exit 0
if install_packages chromium fonts-dejavu-core prometheus systemd && ! missing; then
	exit 0
fi
echo 'NOT INSTALLED: chromium, prometheus or systemd: the tests against them will not run' >&2
if [ "${MAILPULL_REQUIRE_REAL:-}" = 1 ]; then
	exit 1
fi
