package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// readBody reads one body from a server that says text behind +OK.
func readBody(in io.Reader, limits Limits) ([]byte, error) {
	turn := playBackFrom(io.MultiReader(strings.NewReader("+OK\r\n"), in), limits)
	if err := turn.Send("RETR 1"); err != nil {
		return nil, err
	}
	_, body, err := turn.Message()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// plainBody is the rule of RFC 1939 section 3, as plainly as can be: lines end
// in CRLF, a lone dot ends the body, and a second dot at the beginning of a
// line was added.
func plainBody(text string) (body string, ended bool) {
	for {
		line, rest, found := strings.Cut(text, "\r\n")
		if !found {
			return "", false
		}
		if line == "." {
			return body, true
		}
		if strings.HasPrefix(line, "..") {
			line = line[1:]
		}
		body += line + "\r\n"
		text = rest
	}
}

// Every way in which line ends and dots can meet.
func TestDotMatrix(t *testing.T) {
	t.Parallel()
	ends := []string{"\r\n", "\n", "\r", ""}
	count := 0
	for _, before := range ends {
		for _, dots := range []string{"", ".", "..", "..."} {
			for _, after := range ends {
				count++
				text := "a" + before + dots + after
				if before+dots+after == "\r\n.\r\n" {
					// The one end among them: what follows is another answer.
					got, err := readBody(strings.NewReader(text), Limits{})
					if string(got) != "a\r\n" || err != nil {
						t.Errorf("%q: got %q, %v", text, got, err)
					}
					if _, err := readBody(strings.NewReader(text+"z\r\n.\r\n"), Limits{}); !errors.Is(err, ErrProtocol) {
						t.Errorf("%q and more: got %v", text, err)
					}
					continue
				}
				text += "z\r\n.\r\n"
				want, _ := plainBody(text)
				for name, in := range map[string]io.Reader{
					"at once":  strings.NewReader(text),
					"bytewise": iotest.OneByteReader(strings.NewReader(text)),
					"halved":   iotest.HalfReader(strings.NewReader(text)),
				} {
					if got, err := readBody(in, Limits{}); string(got) != want || err != nil {
						t.Errorf("%q %s: got %q, %v, want %q", text, name, got, err, want)
					}
				}
			}
		}
	}
	if count != 64 {
		t.Errorf("%d cases, want 64", count)
	}
}

// The cases that lose mail or let a mail speak for the server, by hand.
func TestBodyEndsAtItsStrictEndOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{".\r\n", ""},
		{"\r\n.\r\n", "\r\n"},
		{"a\n.\n-ERR you are had\r\n.\r\n", "a\n.\n-ERR you are had\r\n"},
		{"a\r\n.\nb\r\n.\r\n", "a\r\n.\nb\r\n"},
		{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
		{"a\n..b\r\n.\r\n", "a\n..b\r\n"},
		{"a\r\n..\r\n.\r\n", "a\r\n.\r\n"},
		{"..\r\n.\r\n", ".\r\n"},
		{".x\r\n.\r\n", ".x\r\n"},
		{"a\r\r\n.\r\n", "a\r\r\n"},
		{"\xef\xbb\xbfa\x00\r\n.\r\n", "\xef\xbb\xbfa\x00\r\n"},
		{"a\r\n.\r.\r\n.\r\n", "a\r\n.\r.\r\n"},
	} {
		if got, err := readBody(strings.NewReader(test.text), Limits{}); string(got) != test.want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", test.text, got, err, test.want)
		}
	}
}

// A connection that ends anywhere before the end is no end of the body.
func TestCutBodyIsNoBody(t *testing.T) {
	t.Parallel()
	const text = "a\r\n..b\r\n.c\n.\nd\r.\r\n\r\n.\r\n"
	for n := range len(text) {
		for name, in := range map[string]io.Reader{
			"at once":  strings.NewReader(text[:n]),
			"bytewise": iotest.OneByteReader(strings.NewReader(text[:n])),
		} {
			if got, err := readBody(in, Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut at %d, %s: got %q, %v", n, name, got, err)
			}
		}
	}
	if _, err := readBody(strings.NewReader(text), Limits{}); err != nil {
		t.Error(err)
	}
}

// io.EOF and errors stay, however often one asks.
func TestBodyEndIsSticky(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{"x\r\n.\r\n": io.EOF, "x": io.ErrUnexpectedEOF} {
		turn := playBack("+OK\r\n" + text)
		_ = turn.Send("RETR 1") // it is only recorded
		_, body, err := turn.Message()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, body) // asked for again below
		for range 3 {
			if n, err := body.Read(make([]byte, 1)); n != 0 || err != want {
				t.Errorf("%q: got %d, %v, want %v", text, n, err, want)
			}
		}
	}
}

// A Read gives what is buffered, however many lines with dots that is.
func TestBodyFillsItsReader(t *testing.T) {
	t.Parallel()
	const lines = 4000
	turn := playBackFrom(strings.NewReader("+OK\r\n"+strings.Repeat("..\r\n", lines)+".\r\n"), Limits{})
	if err := turn.Send("RETR 1"); err != nil {
		t.Fatal(err)
	}
	_, body, err := turn.Message()
	if err != nil {
		t.Fatal(err)
	}
	p, size, reads := make([]byte, 32<<10), 0, 0
	for err == nil {
		var n int
		n, err = body.Read(p)
		size += n
		reads++
	}
	if !errors.Is(err, io.EOF) || size != lines*len(".\r\n") || reads > 4 {
		t.Errorf("%d bytes in %d reads, %v", size, reads, err)
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	endless := iotest.DataErrReader(strings.NewReader(strings.Repeat("x", 5000)))
	got, err := readBody(endless, Limits{Literal: 1000})
	if !errors.Is(err, ErrTooMuch) || len(got) > 2000 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	fits := strings.Repeat("x", 998) + "\r\n.\r\n"
	if got, err := readBody(strings.NewReader(fits), Limits{Literal: 1000}); len(got) != 1000 || err != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// Memory does not grow with the message. The test is not parallel because it
// counts what everybody allocates.
func TestBodyStreams(t *testing.T) {
	const size = 64 << 20
	line := strings.Repeat("x", 998) + "\r\n"
	in := io.MultiReader(io.LimitReader(&repeated{line: line}, size/1000*1000), strings.NewReader(".\r\n"))
	turn := playBackFrom(io.MultiReader(strings.NewReader("+OK\r\n"), in), Limits{})
	_ = turn.Send("RETR 1") // it is only recorded
	_, body, err := turn.Message()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 32<<10)
	var total int64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for err = nil; err == nil; {
		var n int
		n, err = body.Read(buf)
		total += int64(n)
	}
	runtime.ReadMemStats(&after)
	if total != size/1000*1000 || err != io.EOF {
		t.Errorf("got %d bytes, %v", total, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<10 {
		t.Errorf("%d bytes were allocated for one message", used)
	}
}

// repeated gives one line again and again.
type repeated struct {
	line string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], r.line[r.at:])
		n += m
		r.at = (r.at + m) % len(r.line)
	}
	return n, nil
}

// stuff writes a body as RFC 1939 section 3 tells a server to.
func stuff(body string) string {
	lines := strings.SplitAfter(body, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = "." + line
		}
	}
	return strings.Join(lines, "") + ".\r\n"
}

// FuzzBody reads back what a correct server sends, and compares what any
// server sends with the plain rule.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{"", "a", ".", "..", "a\r\n.\r\nb", "\n.\n", "\r\n..\r\n", "\r.\r\n", ".\r", "\r\r\n.x"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		body := string(data)
		if body != "" && !strings.HasSuffix(body, "\r\n") {
			body += "\r\n" // no server can send a last line without its end
		}
		chunks := func(text string) io.Reader { return &choppy{text: text, size: int(cut%16) + 1} }
		if got, err := readBody(chunks(stuff(body)), Limits{}); string(got) != body || err != nil {
			t.Errorf("%q: got %q, %v", body, got, err)
		}

		want, ended := plainBody(string(data))
		got, err := readBody(bytes.NewReader(data), Limits{})
		if ended && err == nil && string(got) != want {
			t.Errorf("%q: got %q, want %q", data, got, want)
		}
		if !ended && err == nil {
			t.Errorf("%q ends without its end: got %q", data, got)
		}
	})
}

// choppy gives a text in pieces of a few bytes.
type choppy struct {
	text string
	size int
}

func (c *choppy) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, io.EOF
	}
	n := copy(p, c.text[:min(c.size, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}
