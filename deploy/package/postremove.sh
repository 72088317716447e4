#!/bin/sh
# The configuration, the records and the mail stay: nothing that was pulled is removed
# by removing a package.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
