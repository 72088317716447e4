// Package schedule decides when the passes over the accounts run: when each is
// due, which of those that are due goes first, and how long one whose server
// refuses, throttles or fails is left alone.
//
// A newcomer must know two things. Times are those of the wall clock, and the
// loop looks at it at least once a minute: a machine that slept, or whose
// clock was set, finds out by that. And nothing but Ended is called while the
// lock is held, so whatever a Job's other functions do, they may ask the
// Scheduler anything.
package schedule
