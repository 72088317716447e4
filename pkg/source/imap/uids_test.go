package imap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mailpull/pkg/mail"
)

func TestSearchAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		raw     string
		want    string
		wantErr bool
	}{
		{"nothing", "", "", false},
		{"ascending", "1 2 3 7", "1:3,7", false},
		{"any order, doubled", "9 3 2 9 1", "1:3,9", false},
		{"blanks at both ends", "  4 5 ", "4:5", false},
		{"modseq", "4 5 (MODSEQ 917)", "4:5", false},
		{"zero", "0 1", "1", false},
		{"largest", "4294967295", "4294967295", false},
		{"too large", "4294967296", "", true},
		{"signed", "+4", "", true},
		{"word", "four", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l uidList
			err := l.addSearch(tt.raw)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error is %v, want one: %v", err, tt.wantErr)
			}
			if got := l.set().String(); err == nil && got != tt.want {
				t.Errorf("%q gave %s, want %s", tt.raw, got, tt.want)
			}
		})
	}
}

func TestESearchAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		raw     string
		want    string
		wantErr bool
	}{
		{"usual", `(TAG "A2") UID ALL 1:5,9`, "1:5,9", false},
		{"no correlator", `UID ALL 3`, "3", false},
		{"leading blank", ` (TAG "A2") UID ALL 3`, "3", false},
		{"lower case", `(tag "a2") uid all 3`, "3", false},
		{"nothing found", `(TAG "A2") UID`, "", false},
		{"other results before", `(TAG "A2") UID MIN 1 MAX 9 COUNT 3 ALL 1,5,9`, "1,5,9", false},
		{"modseq behind", `(TAG "A2") UID ALL 1,5 MODSEQ 9`, "1,5", false},
		{"backwards range", `UID ALL 9:3`, "3:9", false},
		{"overlaps", `UID ALL 1:10,5:20,3`, "1:20", false},
		{"everything", `UID ALL 1:4294967295`, "1:4294967295", false},
		{"star", `UID ALL 1:*`, "", true},
		{"empty part", `UID ALL 1,,2`, "", true},
		{"correlator without end", `(TAG "A2" UID ALL 1`, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l uidList
			err := l.addESearch(tt.raw)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error is %v, want one: %v", err, tt.wantErr)
			}
			if got := l.set().String(); err == nil && got != tt.want {
				t.Errorf("%q gave %s, want %s", tt.raw, got, tt.want)
			}
		})
	}
}

// A server that lists a million UIDs downwards with gaps must cost no more
// than sorting them: an insertion per number would take minutes.
func TestSearchDescendingWithGaps(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for n := 2_000_000; n > 0; n -= 2 {
		fmt.Fprintf(&b, "%d ", n)
	}
	var l uidList
	if err := l.addSearch(b.String()); err != nil {
		t.Fatal(err)
	}
	if got := l.set().Len(); got != 1_000_000 {
		t.Errorf("got %d UIDs, want 1000000", got)
	}
}

func TestUIDListIsBounded(t *testing.T) {
	t.Parallel()
	l := uidList{ranges: make([]mail.UIDRange, maxRanges-1)}
	l.ranges[maxRanges-2] = mail.UIDRange{Lo: 1, Hi: 1}
	if err := l.add(3, 3); err != nil {
		t.Fatalf("the last range: %v", err)
	}
	if err := l.add(4, 9); err != nil {
		t.Fatalf("a range that touches: %v", err)
	}
	if err := l.add(11, 11); !errors.Is(err, errTooManyUIDs) {
		t.Errorf("one range too many gave %v", err)
	}
}

func FuzzESearch(f *testing.F) {
	for _, seed := range []string{`(TAG "A2") UID ALL 1:5,9`, `UID`, `(x`, `ALL ,`, `MIN 1 ALL 4294967295:1`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var l uidList
		if err := l.addESearch(raw); err != nil {
			return
		}
		if set := l.set(); set.Len() > 0 && (set[0].Lo == 0 || set.Max() == 0) {
			t.Fatalf("%q gave %v", raw, set)
		}
	})
}

// FuzzSearch shows that what is listed is what comes out, in whatever order.
func FuzzSearch(f *testing.F) {
	f.Add(uint64(1), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		want := map[mail.UID]bool{}
		var words []string
		for range n {
			uid := mail.UID(random.Uint32N(300) + 1)
			want[uid] = true
			words = append(words, fmt.Sprint(uid))
		}
		var l uidList
		if err := l.addSearch(strings.Join(words, " ")); err != nil {
			t.Fatal(err)
		}
		set := l.set()
		if set.Len() != len(want) {
			t.Fatalf("%v gave %v", words, set)
		}
		for uid := range want {
			if !set.Contains(uid) {
				t.Fatalf("%v gave %v without %d", words, set, uid)
			}
		}
	})
}
