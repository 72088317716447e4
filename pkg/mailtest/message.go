package mailtest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"time"

	"mailpull/pkg/demo"
)

// The sizes of real mail are log-normal: most messages are short, and a few
// long ones hold most of the bytes. These give a median of 8 KB and a mean of
// 26 KB.
const (
	medianSize = 8_000
	sigmaSize  = 1.535 // sqrt(2 ln(mean/median))
	minSize    = 500
	maxSize    = 1 << 20
)

// Corpus returns n ordinary messages for INBOX, the same for equal seeds, with
// sizes as in real mail up to 1 MiB, attachments in the longer ones, and dates
// a few hours apart, in order. About half of them are \Seen.
func Corpus(seed uint64, n int) []demo.Message {
	rng := rand.New(rand.NewPCG(seed, 0))
	date := time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC)
	messages := make([]demo.Message, n)
	for i := range messages {
		date = date.Add(time.Duration(1+rng.IntN(6*3600)) * time.Second)
		messages[i] = demo.Message{
			Mailbox: "INBOX",
			Body:    demo.Compose(rng, i+1, date, logNormal(rng)),
			Date:    date,
		}
		if rng.IntN(2) == 0 {
			messages[i].Flags = []string{`\Seen`}
		}
	}
	return messages
}

func logNormal(rng *rand.Rand) int {
	size := medianSize * math.Exp(sigmaSize*rng.NormFloat64())
	return int(min(max(size, minSize), maxSize-1024)) // Compose may write a little more
}

// CRLF returns a message as a server sends it that keeps mail with LF: each LF
// without a CR before it gets one.
func CRLF(file []byte) []byte {
	bare := bytes.Count(file, []byte("\n")) - bytes.Count(file, []byte("\r\n"))
	wire := make([]byte, 0, len(file)+bare)
	for i, b := range file {
		if b == '\n' && (i == 0 || file[i-1] != '\r') {
			wire = append(wire, '\r')
		}
		wire = append(wire, b)
	}
	return wire
}
