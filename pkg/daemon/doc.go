// Package daemon builds accounts from the configuration and runs them: once,
// or for as long as the process lives. It is the only place that knows every
// part: the sources, the store, the checkpoint, the pass, the timetable and
// what the operator sees meet here and nowhere else.
package daemon
