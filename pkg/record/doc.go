// Package record is what the two text files of an account share, the
// checkpoint and the manifest: how a line's fields are read, how a group of
// lines becomes durable, and what is said when a file is not as it was
// written. What the lines mean is the business of those two packages.
//
// The one thing to know: nothing is guessed. A field that is not exactly as
// it was written is an error, never a zero value that looks like one.
package record
