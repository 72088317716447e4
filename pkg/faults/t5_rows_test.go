package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// t5Elsewhere are rows that no server can bring about, and the tests that hold
// them: what the receiver does, and what the library does by itself.
var t5Elsewhere = map[string]struct{ dir, test string }{
	"I-14": {"../source/imap", "TestFetchReceiverFails"}, // the consumer stops reading
	"I-15": {"../wire", "TestGuardSlowReader"},           // the consumer is slow
	"I-34": {"../mailtest", "TestIMAPServerAnswers"},     // items are asked for in any order
}

// TestT5EveryRow shows that nothing of what is known about the library, the
// attacks on STARTTLS and the history of the field is without a case.
func TestT5EveryRow(t *testing.T) {
	t.Parallel()
	rows := strings.Split("V3 V5 V11 V13 V14 V16 V22", " ")
	for i := 1; i <= 34; i++ {
		rows = append(rows, fmt.Sprintf("I-%d", i))
	}
	for _, class := range strings.Split("D_1 D_2 D_3 O_1 O_2 O_3 O_4 B_1 B_2 B_3 P_1 P_2 P_3 P_4 P_5 L_1 M_1 M_2 tampering construction", " ") {
		rows = append(rows, "EAST "+class)
	}
	rows = append(rows, "EAST UI spoofing")

	held := make(map[string]int)
	for _, c := range t5All() {
		held[c.row]++
	}
	for _, row := range rows {
		other, elsewhere := t5Elsewhere[row]
		switch {
		case elsewhere && !hasTest(t, other.dir, other.test):
			t.Errorf("%s: %s has no %s", row, other.dir, other.test)
		case !elsewhere && held[row] == 0:
			t.Errorf("%s has no case", row)
		}
	}
}

// hasTest reports whether a folder's tests hold one of that name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T)")) {
			return true
		}
	}
	return false
}
