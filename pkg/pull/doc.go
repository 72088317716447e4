// Package pull is one pass over one account: what is new on the server
// becomes durable in the archive, exactly once.
//
// It owns the seams (Source, Session, Store, Checkpoint, Manifest, Observer)
// and the ladder that connects them, and it knows no protocol, no file format
// and no configuration. A newcomer should read seams.go first: each method
// says who may call it and what is durable when it returns.
package pull
