// Package mailtest is what mailpull's tests share: fakes of every seam that
// can refuse, cut, kill and lie, a disk that counts and fails operations, the
// conformance suites that every adapter and every fake passes, and a real
// Dovecot. Only tests import it.
package mailtest
