//go:build race

package mailtest

// raceDetector says that the race detector watches, which makes everything
// some ten times slower.
const raceDetector = true
