package imap

import (
	"testing"

	"mailpull/pkg/mail"
)

// drain takes everything that a planner has and checks that the sets are
// ascending, disjoint and together the whole.
func drain(t *testing.T, p *planner, whole mail.UIDSet) (sets []mail.UIDSet) {
	t.Helper()
	var all mail.UIDSet
	for set := p.take(); len(set) > 0; set = p.take() {
		if set[0].Lo <= all.Max() {
			t.Fatalf("the set %v does not follow %v", set, all)
		}
		if n := len(set.String()); n > 4096 {
			t.Fatalf("a set of %d bytes", n)
		}
		all = all.Union(set)
		sets = append(sets, set)
	}
	if all.String() != whole.String() {
		t.Fatalf("the sets hold %v, want %v", all, whole)
	}
	return sets
}

func TestPlannerCoversTheSet(t *testing.T) {
	t.Parallel()
	gaps := mail.UIDSet{}
	for uid := mail.UID(4294967295); uid > 4294967295-4000; uid -= 2 {
		gaps.Add(uid, uid)
	}
	for name, text := range map[string]string{
		"empty":      "",
		"one":        "7",
		"one range":  "1:1000",
		"ranges":     "1:5,7,9:40,100:1000",
		"last uid":   "4294967290:4294967295",
		"every gap":  gaps.String(),
		"exact fits": "1:16,18:33",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := mail.ParseUIDSet(text)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlanner(set, 0)
			drain(t, p, set)

			small := newPlanner(set, 0)
			small.seen(1)
			drain(t, small, set)
		})
	}
}

func TestPlannerFollowsTheSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size int64
		want int
	}{
		{0, maxMessages},
		{1 << 10, maxMessages},
		{26 << 10, 78},
		{1 << 20, 2},
		{50 << 20, 1},
	} {
		p := newPlanner(mail.UIDSet{{Lo: 1, Hi: 10_000}}, 0)
		if got := p.take().Len(); got != firstMessages {
			t.Errorf("the first command asks for %d messages, want %d", got, firstMessages)
		}
		p.seen(tt.size)
		if got := p.take().Len(); got != tt.want {
			t.Errorf("messages of %d bytes: %d in one command, want %d", tt.size, got, tt.want)
		}
	}
}

func TestPlannerBeginsWithWhatTheServerTold(t *testing.T) {
	t.Parallel()
	for average, want := range map[int64]int{0: firstMessages, 100: maxMessages, 26 << 10: 78, 50 << 20: 1} {
		p := newPlanner(mail.UIDSet{{Lo: 1, Hi: 10_000}}, average)
		if got := p.take().Len(); got != want {
			t.Errorf("messages of %d bytes: the first command asks for %d, want %d", average, got, want)
		}
		p.seen(1 << 20)
		if got := p.take().Len(); got != 2 {
			t.Errorf("messages of %d bytes that are larger: %d in one command, want 2", average, got)
		}
	}
}

// On a slow line a command asks for less, also before a message was seen.
func TestPlannerFollowsTheLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want  int64
		first int
		then  int // of 26 KiB each
	}{
		{wantBytes, firstMessages, 78},
		{firstBytes, firstMessages, 9},
		{250_000, 3, 9},
		{minBytes, 1, 1},
	} {
		p := newPlanner(mail.UIDSet{{Lo: 1, Hi: 10_000}}, 0)
		p.want = tt.want
		if got := p.take().Len(); got != tt.first {
			t.Errorf("%d bytes: the first command asks for %d messages, want %d", tt.want, got, tt.first)
		}
		p.seen(26 << 10)
		if got := p.take().Len(); got != tt.then {
			t.Errorf("%d bytes: then %d in one command, want %d", tt.want, got, tt.then)
		}
	}
}
