package faults

import (
	"testing"

	"mailpull/pkg/mailtest"
)

// t5All are the cases of all files.
func t5All() []t5Case {
	var all []t5Case
	for _, cases := range [][]t5Case{
		t5Greetings(), t5SignIns(), t5StartTLSCases(), t5EveryCommand(), t5MisplacedCodes(),
		t5Names(), t5Statuses(), t5Examines(), t5Searches(), t5Fetches(),
		t5BodySizes(), t5OtherSizes(), t5Depths(), t5ListBombs(), t5Floods(), t5Times(),
	} {
		all = append(all, cases...)
	}
	return all
}

// TestT5HostileIMAP is suite T5: whatever an IMAP server says, a pass ends soon
// and says in one line what is wrong; no wrong byte is stored, what was told
// truly is, other accounts do not notice, and as soon as the server tells the
// truth everything is there.
func TestT5HostileIMAP(t *testing.T) {
	cases := t5All()
	n := 0
	for i := 0; i < len(cases); i += mailtest.Every(7) {
		n++
		t.Run(cases[i].row+" "+cases[i].name, cases[i].run)
	}
	mailtest.Figure(t, "T5", "hostile IMAP cases", n, 220)
}
