package demo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// inbox is the mailbox that is always there.
const inbox = "INBOX"

// seed fixes what Messages makes: the same bytes in every run and release, so
// that a second pull finds nothing new.
const seed = 1939

// Message is one message of a mailbox.
type Message struct {
	// Mailbox is the name in UTF-8 with "/" between levels. Empty means INBOX.
	Mailbox string

	// Body is the message as it stands on the wire.
	Body []byte

	// Flags are IMAP flags and keywords, such as \Seen.
	Flags []string

	// Date is when it was received (INTERNALDATE), to the second; zero means
	// when it is delivered.
	Date time.Time
}

// Messages returns the demo's mail, the same at every call: 120 messages and
// the odd ones of Odd in INBOX, some dozens more in mailboxes with nested and
// non-ASCII names, with a spread of flags, dates over eight years,
// attachments, and one message of about 12 MB. All addresses are of
// example.com.
func Messages() []Message {
	rng := rand.New(rand.NewPCG(seed, 0))
	date := time.Date(2016, 3, 1, 7, 30, 0, 0, time.UTC)
	var all []Message
	add := func(mailbox string, n int) {
		for range n {
			date = date.Add(time.Duration(1+rng.IntN(int(24*time.Hour/time.Second))) * time.Second)
			all = append(all, Message{
				Mailbox: mailbox,
				Body:    Compose(rng, len(all)+1, date, sizeFor(rng)),
				Flags:   someFlags(rng),
				Date:    date,
			})
			// Two weeks between messages on average: eight years in all.
			date = date.Add(time.Duration(rng.IntN(27*24)) * time.Hour)
		}
	}
	add(inbox, 120)
	all = append(all, Odd()...)
	for _, box := range []struct {
		name string
		n    int
	}{
		{"Work", 14}, {"Work/2024", 9}, {"Projects/Garden/Autumn", 5}, {"Entwürfe", 4},
		{"日本語", 7}, {"Sent", 12}, {"Junk", 6}, {"Archive", 8}, {"Q&A", 3},
	} {
		add(box.name, box.n)
	}
	return append(all, largeMessage(len(all)+1, date))
}

// sizeFor picks how long a text is: mostly short, now and then with an
// attachment of some hundred kilobytes.
func sizeFor(rng *rand.Rand) int {
	switch rng.IntN(12) {
	case 0:
		return 60_000 + rng.IntN(200_000)
	case 1, 2:
		return 12_000 + rng.IntN(30_000)
	default:
		return 600 + rng.IntN(6_000)
	}
}

// largeSize is the length of the one large message: more than any buffer, and
// short enough to travel over loopback in no time.
const largeSize = 12 << 20

func largeMessage(n int, date time.Time) Message {
	rng := rand.New(rand.NewPCG(seed, 1))
	return Message{Mailbox: inbox, Body: Compose(rng, n, date, largeSize), Date: date, Flags: []string{`\Flagged`}}
}

// someFlags picks flags: about half of the messages are read, some are more
// than that, some carry a keyword, many nothing.
func someFlags(rng *rand.Rand) []string {
	spreads := [][]string{
		nil, nil, nil, {`\Seen`}, {`\Seen`}, {`\Seen`, `\Answered`}, {`\Seen`, `\Flagged`}, {`\Flagged`},
		{`\Seen`, `\Answered`, `\Flagged`}, {`\Draft`}, {`\Seen`, `\Draft`}, {`\Seen`, `$Forwarded`},
	}
	return spreads[rng.IntN(len(spreads))]
}

// Odd returns messages that software which takes mail for text gets wrong,
// all for INBOX, the same at every call. Each body holds one oddity; where it
// has a header, the subject names it.
func Odd() []Message {
	date := time.Date(2024, 2, 29, 23, 59, 59, 0, time.FixedZone("", -(9*60+30)*60))
	var odd []Message
	for i, body := range oddBodies() {
		odd = append(odd, Message{
			Mailbox: inbox,
			Body:    []byte(body),
			Date:    date.Add(time.Duration(i) * time.Hour),
		})
	}
	return odd
}

// subject returns a small header that ends where the text begins.
func subject(text string) string {
	return fmt.Sprintf("From: sender@example.com\r\nTo: demo@example.com\r\nSubject: %s\r\n\r\n", text)
}
