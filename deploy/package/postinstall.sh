#!/bin/sh
# Makes the user of the service and shows systemd the units. It starts nothing: there is
# no configuration yet, or a new version is better started by whoever watches it.
set -e
if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers mailpull.conf || true
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ ! -e /etc/mailpull/config.yaml ]; then
	echo 'mailpull: write /etc/mailpull/config.yaml, see /usr/share/doc/mailpull/mailpull.example.yaml, then: systemctl enable --now mailpull'
fi
