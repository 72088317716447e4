// Package bench measures mailpull against other fetchers and against what the
// machine allows; make bench-peers prints the result and docs/benchmarks.md
// explains it. The files without _test in their names are its instruments: a
// slow network, the arithmetic, the table and the plot. The programs are run
// by its benchmarks. No part of mailpull imports it.
package bench
