// Package admin is what an operator sees of a daemon over HTTP: metrics, a
// status page for a person, the same as JSON, and whether it is healthy and
// ready.
//
// Nothing here can change anything, and no mail, no address and no password is
// shown: whoever reaches the listener may look, and TLS and passwords for it
// are in a file of their own. Everything comes from a snapshot that the daemon
// makes without asking a disk or a server.
package admin
