# Read by the install scripts: installs Debian packages.

# install_packages NAME... installs the packages without what they recommend
# and without starting a service. It needs apt-get, and root or a sudo that asks
# for no password; it returns 1 where it can not.
install_packages() {
	command -v apt-get >/dev/null || return 1
	if [ "$(id -u)" = 0 ]; then
		as_root() { "$@"; }
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		as_root() { sudo -n "$@"; }
	else
		return 1
	fi
	forbid_services || return 1
	# The list of packages may be old or missing; a second try has a new one.
	result=0
	apt_install "$@" || { as_root apt-get update -q >&2 && apt_install "$@"; } || result=1
	restore_services
	return "$result"
}

# The output goes to standard error, so that a script which prints data can
# call an install script.
apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# Debian's packages start their services unless this file says 101, "forbidden
# by policy". One that is there already is put aside and comes back.
policy=/usr/sbin/policy-rc.d
aside=$policy.mailpull

forbid_services() {
	trap restore_services EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# One that is aside already was left there by a run that was killed.
	if [ -e "$policy" ] && [ ! -e "$aside" ]; then
		as_root mv "$policy" "$aside" || return 1
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null || return 1
	as_root chmod 755 "$policy"
}

restore_services() {
	trap - EXIT INT TERM
	as_root rm -f "$policy"
	if [ -e "$aside" ]; then
		as_root mv "$aside" "$policy"
	fi
}
