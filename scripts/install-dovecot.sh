#!/bin/sh
# Installs Dovecot with IMAP and POP3 for the end-to-end tests, without starting
# it as a service. Does nothing where it is there already. Where it can not be
# installed, it says so and ends well, unless MAILPULL_REQUIRE_DOVECOT=1.
set -eu
. "$(dirname "$0")/debian.sh"

has_dovecot() {
	server=$(PATH="$PATH:/usr/sbin" command -v dovecot) || return 1
	services=$("$server" -a -c /dev/null 2>/dev/null) || return 1
	case $services in *'service imap-login {'*) ;; *) return 1 ;; esac
	case $services in *'service pop3-login {'*) ;; *) return 1 ;; esac
}

if has_dovecot; then
	exit 0
fi
if install_packages dovecot-imapd dovecot-pop3d && has_dovecot; then
	exit 0
fi
echo 'NOT INSTALLED: dovecot with imap and pop3: the end-to-end tests will be skipped' >&2
if [ "${MAILPULL_REQUIRE_DOVECOT:-}" = 1 ]; then
	exit 1
fi
