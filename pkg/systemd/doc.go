// Package systemd speaks with systemd where the daemon is a service of it: it
// tells the service manager how the daemon's life goes, and writes the log to
// the journal with fields that can be searched.
//
// The one thing to know: elsewhere all of it does nothing, so nobody has to ask
// where the daemon runs. The environment decides: NOTIFY_SOCKET and
// WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)) and JOURNAL_STREAM
// (systemd.exec(5)).
package systemd
