//go:build race

package schedule_test

// raceDetector says that the race detector watches, which makes everything
// some ten times slower.
const raceDetector = true
