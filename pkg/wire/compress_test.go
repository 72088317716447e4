package wire

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

const compressCaps = "IMAP4rev1 COMPRESS=DEFLATE"

// compressing opens a connection to a server that announces COMPRESS=DEFLATE
// and plays after sign-in.
func compressing(t *testing.T, limits Limits, play func(s *script)) (*IMAP, *Counters) {
	t.Helper()
	o, _ := serve(t, func(s *script) {
		signedIn(s, compressCaps)
		play(s)
	})
	o.Limits, o.Counters, o.Compress = limits, &Counters{}, CompressAlways
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, o.Counters
}

// compress agrees to COMPRESS. The server goes on compressed.
func (s *script) compress() {
	s.want("COMPRESS DEFLATE")
	s.say("$ OK now")
	s.conn = mailtest.Deflated(s.conn, s.conn)
	s.in.Reset(s)
}

func TestCompress(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("The same line again and again.\r\n", 2000)
	c, counters := compressing(t, Limits{}, func(s *script) {
		s.compress()
		playAside(s)
		s.tag, _, _ = strings.Cut(s.line(), " ")
		s.raw(fmt.Sprintf("* 1 FETCH (UID 9 BODY[] {%d}\r\n%s)\r\n", len(body), body))
		s.say("$ OK done")
		playAside(s)
		s.want("LOGOUT")
		s.say("* BYE bye", "$ OK")
	})
	client := imapclient.New(c.Conn(), nil)
	defer client.Close()
	for range 2 {
		if err := compressIf(t.Context(), c, false); err != nil || !c.Compressed() {
			t.Fatalf("compressed: %v, %v", c.Compressed(), err)
		}
	}
	checkAside(t, c)
	messages, err := client.Fetch(imap.UIDSetNum(9), &imap.FetchOptions{
		UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	}).Collect()
	if err != nil || len(messages) != 1 || string(messages[0].BodySection[0].Bytes) != body {
		t.Fatalf("got %d messages, %v", len(messages), err)
	}
	checkAside(t, c)
	if err := c.Logout(); err != nil {
		t.Error(err)
	}
	if in := counters.In.Load(); in > int64(len(body)/10) {
		t.Errorf("%d bytes were received for a body of %d", in, len(body))
	}
}

// compressIf asks the server where it may be asked.
func compressIf(ctx context.Context, c *IMAP, slow bool) error {
	if !c.MayCompress(slow) {
		return nil
	}
	return c.Compress(ctx)
}

// What arrives together with the OK is compressed already.
func TestCompressPipelined(t *testing.T) {
	t.Parallel()
	c, _ := compressing(t, Limits{}, func(s *script) {
		s.want("COMPRESS DEFLATE")
		news := deflated(s.t, flate.BestSpeed, []byte("* 7 EXISTS\r\n"))
		s.raw(s.tag + " OK now\r\n" + string(news))
		tag, _ := s.storedLine()
		s.raw(string(stored([]byte(tag + " OK done\r\n"))))
		s.stall()
	})
	if err := compressIf(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	var got []string
	_, err := c.Aside(t.Context(), []string{"NOOP"}, func(_ int, r Response) error {
		got = append(got, fmt.Sprint(r.Num, r.Type))
		return nil
	})
	if err != nil || len(got) != 1 || got[0] != "7EXISTS" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A refusal is no error, and is not asked for again.
func TestCompressRefused(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"NO [COMPRESSIONACTIVE] TLS does it", "NO no", "BAD what"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			c, _ := compressing(t, Limits{}, func(s *script) {
				s.want("COMPRESS DEFLATE")
				s.say("$ " + answer)
				playAside(s)
				s.stall()
			})
			for range 2 {
				if err := compressIf(t.Context(), c, true); err != nil || c.Compressed() {
					t.Fatalf("compressed: %v, %v", c.Compressed(), err)
				}
			}
			checkAside(t, c)
		})
	}
}

func TestCompressFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		play  func(s *script)
		class mail.Class
	}{
		{"bye", func(s *script) { s.say("* BYE [UNAVAILABLE] down") }, mail.ClassServer},
		{"hangs up", func(*script) {}, mail.ClassConnect},
		{"continuation", func(s *script) { s.say("+ go on"); s.stall() }, mail.ClassProtocol},
		{"foreign answer", func(s *script) { s.say("x OK now"); s.stall() }, mail.ClassProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := compressing(t, Limits{}, func(s *script) {
				s.want("COMPRESS DEFLATE")
				test.play(s)
			})
			err := compressIf(t.Context(), c, false)
			if class := mail.ErrorClass(err); class != test.class || c.Compressed() {
				t.Errorf("got class %q, want %q; %v", class, test.class, err)
			}
			if c.Err() == nil {
				t.Error("the connection lives")
			}
		})
	}
}

// A server that agrees and goes on without, or whose stream is damaged.
func TestCompressDamaged(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]string{
		"plain":  "* OK still here\r\n",
		"zlib":   "\x78\x9c\x53\x00\x00",
		"kind 3": "\x06",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := compressing(t, Limits{}, func(s *script) {
				s.want("COMPRESS DEFLATE")
				s.say("$ OK now")
				s.raw(bytes)
				s.stall()
			})
			if err := compressIf(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
			_, err := c.Aside(t.Context(), []string{"NOOP"}, nil)
			if !errors.Is(err, ErrDamaged) || mail.ErrorClass(err) != mail.ClassProtocol || !errors.Is(c.Err(), ErrDamaged) {
				t.Errorf("got %v, and the connection ended with %v", err, c.Err())
			}
		})
	}
}

// Little on the wire that is much when it is inflated meets the bounds of
// everything else.
func TestCompressBomb(t *testing.T) {
	t.Parallel()
	limits := Limits{Literal: 1 << 20}
	for name, bomb := range map[string]func(s *script, chunk string){
		"line":    func(s *script, chunk string) { s.raw("* OK " + chunk + chunk) },
		"literal": func(s *script, chunk string) { s.raw("* LIST () NIL {10000000}\r\n" + chunk) },
		"unasked": func(s *script, _ string) {
			for range 100 {
				s.raw(strings.Repeat("* 5 EXISTS\r\n", maxAside/50))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunk := strings.Repeat("x", 1<<20)
			c, counters := compressing(t, limits, func(s *script) {
				s.compress()
				s.want("NOOP")
				bomb(s, chunk)
				s.stall()
			})
			if err := compressIf(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
			_, err := c.Aside(t.Context(), []string{"NOOP"}, nil)
			if !errors.Is(err, ErrTooMuch) && !errors.Is(err, ErrProtocol) || errors.Is(err, ErrDamaged) {
				t.Errorf("got %v", err)
			}
			if in := counters.In.Load(); in > 20_000 {
				t.Errorf("it cost %d bytes", in)
			}
		})
	}
}

// A stream that goes on for ever and says nothing is silence: what is waited for
// is due in its time.
func TestCompressedSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := compressing(t, Limits{}, func(s *script) {
			s.compress()
			s.want("NOOP")
			for s.t.Context().Err() == nil {
				time.Sleep(time.Second)
				if _, err := s.conn.Write(nil); err != nil { // an empty block
					return
				}
			}
		})
		if err := compressIf(t.Context(), c, false); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := c.Aside(t.Context(), []string{"NOOP"}, nil)
		if waited := time.Since(began); !errors.Is(err, ErrTimeout) || waited > c.conn.limits.Response {
			t.Errorf("after %v: %v", waited, err)
		}
		_ = c.Close()
	})
}

// An Aside may come while any part of a compressed response has arrived that
// go-imap's goroutine reads.
func TestAsideCutsIntoCompressed(t *testing.T) {
	t.Parallel()
	var stream bytes.Buffer
	w, err := flate.NewWriter(&stream, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "* 5 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen) X {40}\r\n%s)\r\n", strings.Repeat("ab", 20))
	_ = w.Flush() // into memory
	for cut := range stream.Len() + 1 {
		synctest.Test(t, func(t *testing.T) {
			c, _ := compressing(t, Limits{}, func(s *script) {
				s.want("COMPRESS DEFLATE")
				s.say("$ OK now")
				s.raw(string(stream.Bytes()[:cut]))
				time.Sleep(time.Second)
				s.raw(string(stream.Bytes()[cut:]))
				tag, command := s.storedLine()
				s.raw(string(stored([]byte("* 6 EXISTS\r\n" + tag + " OK done\r\n"))))
				if command != "NOOP" {
					t.Errorf("the server read %q", command)
				}
				s.stall()
			})
			client := imapclient.New(c.Conn(), nil)
			if err := client.WaitGreeting(); err != nil {
				t.Fatal(err)
			}
			if err := compressIf(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // go-imap's goroutine has all that came, and waits
			last := uint32(0)
			statuses, err := c.Aside(t.Context(), []string{"NOOP"}, func(_ int, r Response) error {
				last = r.Num
				return nil
			})
			if err != nil || !statuses[0].OK() || last != 6 {
				t.Errorf("cut behind %d bytes: %v, EXISTS %d, %v", cut, statuses, last, err)
			}
			_ = client.Close()
		})
	}
}

// storedLine reads a command that came in stored blocks.
func (s *script) storedLine() (tag, command string) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return "", ""
	}
	line := s.line()
	_, _ = s.in.Discard(len(head)) // the empty block; the client sends no more
	tag, command, _ = strings.Cut(line, " ")
	return tag, command
}

// What is written is a deflate stream with all of it.
func TestStored(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 65535, 65536, 200_000} {
		data := bytes.Repeat([]byte("command\r\n"), size/9+1)[:size]
		got := make([]byte, size+1)
		n, err := readSome(newInflater(bytes.NewReader(stored(data))), got)
		if !bytes.Equal(got[:n], data) {
			t.Errorf("%d bytes: %d came back, %v", size, n, err)
		}
	}
}

// readSome reads until an error.
func readSome(z *inflater, p []byte) (total int, err error) {
	for err == nil {
		var n int
		n, err = z.Read(p[total:])
		total += n
	}
	return total, err
}

func TestCompressPays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		addr     string
		compress Compression
		slow     bool
		want     bool
	}{
		{"192.0.2.1:993", "", true, true},
		{"192.0.2.1:993", CompressAuto, false, false},
		{"192.0.2.1:993", CompressNever, true, false},
		{"192.0.2.1:993", CompressAlways, false, true},
		{"[2001:db8::1]:993", "", true, true},
		{"127.0.0.1:993", "", true, false},
		{"127.0.0.1:993", CompressAlways, false, true},
		{"[::1]:993", "", true, false},
		{"[::ffff:127.0.0.1]:993", "", true, false},
		{"10.1.2.3:993", "", true, false},
		{"192.168.1.1:993", "", true, false},
		{"[fd00::1]:993", "", true, false},
		{"[fe80::1%eth0]:993", "", true, false},
		{"pipe", "", true, false},
	} {
		c := &IMAP{options: Options{Compress: test.compress}, conn: &Conn{Conn: addressed{addr: test.addr}}}
		if got := c.pays(test.slow); got != test.want {
			t.Errorf("%s, slow: %v, %q: %v", test.addr, test.slow, test.compress, got)
		}
	}
}

// addressed is a connection to an address.
type addressed struct {
	net.Conn
	addr string
}

func (a addressed) RemoteAddr() net.Addr { return textAddr(a.addr) }

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// Without the capability nothing is asked.
func TestCompressNotAnnounced(t *testing.T) {
	t.Parallel()
	c := opened(t, Limits{}, func(s *script) { playAside(s); s.stall() })
	c.options.Compress = CompressAlways
	if err := compressIf(context.Background(), c, true); err != nil {
		t.Fatal(err)
	}
	checkAside(t, c)
}
