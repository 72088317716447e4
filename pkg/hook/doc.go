// Package hook tells others how a pass ended: a page that watches cron jobs, as
// healthchecks.io does, and a command of the user's.
//
// The one thing to know: a hook that fails is a line in the log and nothing else.
// The mail is in the archive, and whether somebody could be told of it changes
// nothing about that.
package hook
