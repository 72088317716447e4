package wire

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkTurn reads a maildrop of 26 kB messages, each to its strict end,
// with a dot to take away in every tenth line.
func BenchmarkTurn(b *testing.B) {
	const messages = 200
	line := strings.Repeat("0123456789abcdef", 4)[:63] + "\r\n"
	body := strings.Repeat(strings.Repeat(line, 9)+".."+line, 40)
	answer := "+OK\r\n" + body + ".\r\n"
	data := []byte(strings.Repeat(answer, messages))
	commands := make([]string, messages)
	for i := range commands {
		commands[i] = fmt.Sprintf("RETR %d", i+1)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		turn := playBackFrom(bytes.NewReader(data), Limits{})
		if err := turn.Send(commands...); err != nil {
			b.Fatal(err)
		}
		for range messages {
			_, body, err := turn.Message()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, body); err != nil {
				b.Fatal(err)
			}
		}
	}
}
