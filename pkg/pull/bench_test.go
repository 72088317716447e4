package pull_test

import (
	"fmt"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// BenchmarkLadder makes passes over 50 mailboxes of 100 messages whose server,
// archive and records are in memory: it is what the pass and its ladder
// compute.
func BenchmarkLadder(b *testing.B) {
	var boxes []func(*mailtest.Server)
	size := 0
	for n := range 50 {
		bodies := make([]string, 100)
		for i := range bodies {
			bodies[i] = fmt.Sprintf("Subject: %d\r\n\r\n%0500d\r\n", i, n)
			size += len(bodies[i])
		}
		boxes = append(boxes, box(mail.MailboxName(fmt.Sprintf("box%d", n)), bodies...))
	}
	server := newWorld(boxes...).server
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		w := newWorld()
		w.server = server
		r, err := w.run(b.Context(), nil, func(o *pull.Options) { o.Batch = pull.Bounds{} })
		if err != nil || !r.Complete {
			b.Fatal(r, err)
		}
	}
}
