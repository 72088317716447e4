package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"time"
)

// attachFrom is the size from which a message carries an attachment: as in
// real mail, what is long is seldom text.
const attachFrom = 10_000

// Compose returns an ordinary message of about size bytes, at least a few
// hundred, with CRLF line ends and a Message-ID that holds n. Short ones are
// plain text, longer ones carry a base64 attachment. Equal random numbers give
// equal bytes.
func Compose(rng *rand.Rand, n int, date time.Time, size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 1024)
	fmt.Fprintf(&b, "Received: from mail.example.com by demo.example.com with ESMTP id %08x;\r\n\t%s\r\n",
		rng.Uint32(), date.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: %s <%s@example.com>\r\nTo: demo@example.com\r\n", pick(rng, names()), pick(rng, plainWords()))
	fmt.Fprintf(&b, "Subject: %s %s %d\r\n", pick(rng, subjects()), pick(rng, plainWords()), n)
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%d.%08x@example.com>\r\nMIME-Version: 1.0\r\n",
		date.Format(time.RFC1123Z), n, rng.Uint32())
	if size < attachFrom {
		b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
		writeText(&b, rng, size)
		return b.Bytes()
	}
	writeParts(&b, rng, size)
	return b.Bytes()
}

// writeText writes lines of words until b holds size bytes.
func writeText(b *bytes.Buffer, rng *rand.Rand, size int) {
	list := words()
	for {
		for column := 0; column < 60; {
			w := pick(rng, list)
			b.WriteString(w)
			b.WriteByte(' ')
			column += len(w) + 1
		}
		b.WriteString("\r\n")
		if rng.IntN(7) == 0 {
			b.WriteString("\r\n")
		}
		if b.Len() >= size {
			return
		}
	}
}

// writeParts writes a multipart message: a text and an attachment.
func writeParts(b *bytes.Buffer, rng *rand.Rand, size int) {
	boundary := fmt.Sprintf("part-%016x", rng.Uint64())
	fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%q\r\n\r\n", boundary)
	fmt.Fprintf(b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", boundary)
	writeText(b, rng, b.Len()+800)
	fmt.Fprintf(b, "--%s\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n", boundary)
	fmt.Fprintf(b, "Content-Disposition: attachment; filename=%q\r\n\r\n", pick(rng, plainWords())+".bin")

	// 57 bytes make a line of 76 characters (RFC 2045 section 6.8).
	raw, line := make([]byte, 64), make([]byte, 76)
	for b.Len() < size {
		for i := 0; i < len(raw); i += 8 {
			random := rng.Uint64()
			for j := range 8 {
				raw[i+j] = byte(random >> (8 * j))
			}
		}
		base64.StdEncoding.Encode(line, raw[:57])
		b.Write(line)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(b, "--%s--\r\n", boundary)
}

func pick(rng *rand.Rand, list []string) string { return list[rng.IntN(len(list))] }

func names() []string {
	return []string{"Accounts", "The Library", "Builds", "=?utf-8?q?B=C3=BCro?=", "News", "=?utf-8?b?5Zuz5pu46aSo?="}
}

func subjects() []string {
	return []string{"Re: about the", "Minutes:", "Invoice for", "Fwd: a question on", "=?utf-8?q?Gr=C3=BC=C3=9Fe:?=", "Plan"}
}

// plainWords are for headers and file names, which are ASCII.
func plainWords() []string {
	return []string{
		"river", "lantern", "meadow", "copper", "window", "harbour", "ladder", "autumn", "paper", "garden",
		"stone", "kettle", "bridge", "signal", "orchard", "ribbon", "winter", "granite", "compass", "feather",
	}
}

func words() []string {
	return append(plainWords(), "naïve", "Straße", "øre", "élan", "日本", "мост")
}
