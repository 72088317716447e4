// Package faults is the fault programme: it puts an account together of the
// real parts, source, pass, archive, checkpoint and manifest, over a server, a
// network and a disk that fail on purpose, and lets an oracle judge what is
// left. Everything in it is a test; docs/reliability.md says what each suite
// proves and how many cases it has.
package faults
