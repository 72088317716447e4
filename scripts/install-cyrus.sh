#!/bin/sh
# Unpacks Debian's Cyrus IMAP server below bin/cyrus, or the folder that
# MAILPULL_CYRUS names, for the tests of COMPRESS=DEFLATE. Its package conflicts
# with Dovecot's, so nothing is installed: the server runs from there, with the
# libraries that this machine lacks beside it. Does nothing where it is there
# already. Where it cannot be had, it says so and ends well, unless
# MAILPULL_REQUIRE_REAL=1.
set -eu
cd "$(dirname "$0")/.."
root=${MAILPULL_CYRUS:-$PWD/bin/cyrus}

runs() {
	[ -x "$root/usr/lib/cyrus/bin/imapd" ] || return 1
	libraries=$(echo "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu* | tr ' ' :)
	! LD_LIBRARY_PATH=$libraries ldd "$root/usr/lib/cyrus/bin/master" "$root/usr/lib/cyrus/bin/imapd" | grep -q 'not found'
}

# wanted prints a package and the libraries that it needs and that are missing
# here. Those of the virus scanner and of Zephyr are for programs that nobody
# calls.
wanted() {
	for package in $(apt-cache depends --important "$1" | sed -n 's/^.*Depends: \(lib[^ ]*\|cyrus-common\)$/\1/p'); do
		case " $seen " in *" $package "*) continue ;; esac
		seen="$seen $package"
		case $package in libclamav*|libzephyr*) continue ;; esac
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || wanted "$package"
	done
	echo "$1"
}

unpack() {
	command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
	mkdir -p "$root"
	(
		cd "$root"
		seen=
		# The list of packages may be old or missing; a second try has a new one.
		packages=$(wanted cyrus-imapd)
		apt-get download -q $packages >&2 || {
			apt-get update -q >&2 && packages=$(wanted cyrus-imapd) && apt-get download -q $packages >&2
		} || exit 1
		for file in *.deb; do
			dpkg -x "$file" . || exit 1
		done
		rm -f ./*.deb
	)
}

runs && exit 0
if unpack && runs; then
	exit 0
fi
echo 'NOT UNPACKED: cyrus-imapd: the tests against it will not run' >&2
if [ "${MAILPULL_REQUIRE_REAL:-}" = 1 ]; then
	exit 1
fi
