package main

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// A real Cyrus compresses what the real program pulls: every byte arrives, fewer
// are on the wire, and the next pass has nothing to do.
func TestRealCyrus(t *testing.T) {
	t.Parallel()
	server := mailtest.StartCyrus(t)
	messages := mailtest.Corpus(5, 200)
	var want []string
	size := int64(0)
	for i := range messages {
		messages[i].Body = mailtest.CRLF(messages[i].Body)
		size += int64(len(messages[i].Body))
		want = append(want, string(messages[i].Body))
	}
	server.Deliver(user, messages)

	sent := func(compress string) int64 {
		proxy := mailtest.NewProxy(t, server.Addr, 0, nil)
		_, port, err := net.SplitHostPort(proxy.Addr)
		if err != nil {
			t.Fatal(err)
		}
		s := configure(t, fmt.Sprintf("imap: { host: localhost, port: %s, security: none, username: %s, password: any, compress: %s }",
			port, user, compress), "")
		mustRun(t, s.config)
		first := proxy.Sent()
		var got []string
		for i, m := range readArchive(t, s, mailtest.LayoutMaildirPP)["INBOX"] {
			got = append(got, m.body)
			if !slices.ContainsFunc(messages, func(sent demo.Message) bool { return sent.Date.Equal(m.date) }) {
				t.Errorf("message %d has a date that none has: %v", i, m.date)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("compress %s: %d messages arrived of %d, or they differ", compress, len(got), len(want))
		}
		held := snapshot(t, s.archive)
		mustRun(t, s.config)
		if again := proxy.Sent() - first; again > 20_000 || !slices.Equal(snapshot(t, s.archive), held) {
			t.Errorf("compress %s: the second pass was sent %d bytes, or the archive changed", compress, again)
		}
		return first
	}
	plain, compressed := sent("never"), sent("always")
	t.Logf("%d bytes of mail are %d on the wire, and %d compressed", size, plain, compressed)
	if plain < size || compressed > plain*9/10 {
		t.Errorf("%d bytes of mail are %d on the wire, and %d compressed", size, plain, compressed)
	}
}
