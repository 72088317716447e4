package pull

import (
	"math/rand/v2"
	"testing"

	"mailpull/pkg/mail"
)

func TestRefSet(t *testing.T) {
	t.Parallel()
	s := refSet{account: "work"}
	var in, out []mail.Ref
	for uid := range mail.UID(20_000) { // enough for it to settle on the way
		ref := mail.Ref{Mailbox: "a", Validity: 7, UID: uid + 1}
		if uid%3 == 0 {
			out = append(out, ref)
		} else {
			in = append(in, ref)
		}
	}
	in = append(in, mail.Ref{Mailbox: "a", Validity: 7, UID: 1<<32 - 1}, mail.Ref{Mailbox: "b", Validity: 7, UID: 1}, mail.Ref{Mailbox: "a", UIDL: "x"})
	out = append(out, mail.Ref{Mailbox: "a", Validity: 8, UID: 2}, mail.Ref{Mailbox: "b", Validity: 7, UID: 2},
		mail.Ref{Mailbox: "c", Validity: 7, UID: 2}, mail.Ref{Mailbox: "a", UIDL: "y"}, mail.Ref{Mailbox: "b", UIDL: "x"})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2 {
		rng.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		for _, ref := range in {
			s.add(ref)
		}
	}
	s.settle()
	for _, ref := range in {
		if !s.contains(ref) {
			t.Fatalf("%+v is not in it", ref)
		}
	}
	for _, ref := range out {
		if s.contains(ref) {
			t.Fatalf("%+v is in it", ref)
		}
	}
	if empty := (&refSet{}); empty.contains(in[0]) || empty.contains(mail.Ref{Mailbox: "a", UIDL: "x"}) {
		t.Error("the empty set has something in it")
	}
}
