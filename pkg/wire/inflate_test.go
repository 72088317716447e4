package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// deflated returns data compressed at a level, flushed behind each piece.
func deflated(t testing.TB, level int, pieces ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// samples are texts that use every part of the format.
func samples() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200<<10)
	letters := make([]byte, 200<<10)
	far := make([]byte, 0, 200<<10)
	for i := range noise {
		noise[i] = byte(random.Uint32())
		// Few of most and many of some, so that codes are long.
		letters[i] = byte(random.ExpFloat64() * 20)
	}
	for len(far) < 150<<10 {
		far = append(far, noise[:30<<10]...)
		far = append(far, letters[:1<<10]...)
	}
	return map[string][]byte{
		"empty":   {},
		"one":     []byte("x"),
		"text":    []byte(strings.Repeat("From: somebody@example.com\r\nSubject: hello\r\n\r\nHow are you?\r\n", 3000)),
		"zeros":   make([]byte, 300<<10),
		"noise":   noise,
		"letters": letters,
		"far":     far,
	}
}

// Whatever compress/flate makes is read back, however it arrives.
func TestInflate(t *testing.T) {
	t.Parallel()
	for name, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
			t.Run(fmt.Sprint(name, level), func(t *testing.T) {
				t.Parallel()
				half := len(data) / 2
				stream := deflated(t, level, data[:half], data[half:])
				for _, arrives := range []func(io.Reader) io.Reader{
					func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
				} {
					got, err := io.ReadAll(newInflater(arrives(bytes.NewReader(stream))))
					if err != nil || !bytes.Equal(got, data) {
						t.Fatalf("%d bytes came back of %d, %v", len(got), len(data), err)
					}
				}
			})
		}
	}
}

// kickedReader gives one byte, then an error that passes, and so on.
type kickedReader struct {
	r      io.Reader
	kicked bool
}

func (k *kickedReader) Read(p []byte) (int, error) {
	if k.kicked = !k.kicked; k.kicked {
		return 0, errKicked
	}
	return k.r.Read(p[:1])
}

// A read that is interrupted before each byte loses nothing.
func TestInflateInterrupted(t *testing.T) {
	t.Parallel()
	for name, data := range samples() {
		z := newInflater(&kickedReader{r: bytes.NewReader(deflated(t, flate.DefaultCompression, data))})
		var got []byte
		for buf := make([]byte, 4096); ; {
			n, err := z.Read(buf)
			got = append(got, buf[:n]...)
			if errors.Is(err, errKicked) {
				continue
			}
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes came back of %d", name, len(got), len(data))
		}
	}
}

// Every byte is handed out as soon as its last bit has come: a server may flush
// so that the block goes on, with no empty stored block behind it.
func TestInflateWaitsForNothing(t *testing.T) {
	t.Parallel()
	// A block with the fixed codes: the letters a to e of 8 bits each, behind
	// its 3 bits. Each byte of the stream ends 5 bits into a letter.
	codes := uint64(0b010)
	held := 3
	var stream []byte
	for _, letter := range "abcde" {
		for bit := 7; bit >= 0; bit-- {
			codes |= uint64((letter+0x30)>>bit&1) << held
			held++
		}
	}
	for ; held > 0; held -= 8 {
		stream = append(stream, byte(codes))
		codes >>= 8
	}
	feed := &feeder{}
	z := newInflater(feed)
	buf := make([]byte, 10)
	for i, b := range stream {
		feed.next = []byte{b}
		n, err := z.Read(buf)
		switch {
		case i == 0 && !errors.Is(err, errKicked):
			t.Errorf("after one byte: %q, %v", buf[:n], err)
		case i > 0 && (err != nil || string(buf[:n]) != "abcde"[i-1:i]):
			t.Errorf("after byte %d: %q, %v", i, buf[:n], err)
		}
	}
}

// feeder gives what it has, and then errors that pass.
type feeder struct{ next []byte }

func (f *feeder) Read(p []byte) (int, error) {
	if len(f.next) == 0 {
		return 0, errKicked
	}
	n := copy(p, f.next)
	f.next = f.next[n:]
	return n, nil
}

// What is no deflate stream is refused, and what came before it is not lost.
func TestInflateDamaged(t *testing.T) {
	t.Parallel()
	good := deflated(t, flate.DefaultCompression, []byte("good"))
	for name, tail := range map[string]string{
		"kind 3":                 "\x07",
		"stored with wrong size": "\x00\x05\x00\xfa\x00",
		"too many literals":      "\xfd\xff\xff",
		"far match":              "\x03\x7e\xfe\xff\xff\xff", // a distance of 32 KiB
		"behind the end":         "\x03\x00x",
		"text":                   "* 1 EXISTS\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := newInflater(strings.NewReader(string(good) + tail))
			got, err := io.ReadAll(z)
			if !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrProtocol) || !strings.HasPrefix(string(got), "good") {
				t.Errorf("it came as %q, %v", got, err)
			}
			if _, again := z.Read(make([]byte, 1)); again != err {
				t.Errorf("once more it is %v", again)
			}
		})
	}
}

// FuzzInflate compares with compress/flate: the same bytes, and an end or not.
// Where a stream is cut, ours may have seen some bytes more, for compress/flate
// waits for more bits than a short code has.
func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.BestSpeed, flate.BestCompression} {
			f.Add(deflated(f, level, data[:min(len(data), 2000)]), uint8(level))
		}
	}
	f.Add([]byte("\x03\x00"), uint8(1))
	f.Add([]byte("\x04\xc0\xc1\t\x850\f\x06\xe0{ ;d\x827@/zB\xefN\xd0\xd6\x1f0A~ X\xed\xf6\xefC10"), uint8(0xd6))
	f.Fuzz(func(t *testing.T, stream []byte, most uint8) {
		theirs := flate.NewReader(bytes.NewReader(stream))
		want, wantErr := io.ReadAll(io.LimitReader(theirs, 4<<20))
		z := newInflater(&shortReads{bytes.NewReader(stream), int(most)})
		got, err := io.ReadAll(io.LimitReader(z, 4<<20))
		cut := errors.Is(wantErr, io.ErrUnexpectedEOF)
		if !bytes.HasPrefix(got, want) || len(got) > len(want) && !cut {
			t.Fatalf("%d bytes, want %d; %v, want %v", len(got), len(want), err, wantErr)
		}
		switch {
		case len(got) == 4<<20: // neither was read to its end
		case wantErr == nil && !z.last:
			t.Fatalf("the stream has ended, and it is %v", err)
		case wantErr != nil && z.last && z.block == betweenBlocks:
			t.Fatalf("the stream ended, but is %v", wantErr)
		}
	})
}

// shortReads reads few bytes at once.
type shortReads struct {
	r    io.Reader
	most int
}

func (s *shortReads) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.most+1)]) }

func BenchmarkInflate(b *testing.B) {
	for name, data := range samples() {
		if len(data) < 100<<10 {
			continue
		}
		stream := deflated(b, flate.DefaultCompression, data)
		buf := make([]byte, streamBuffer)
		read := func(b *testing.B, open func(io.Reader) io.Reader) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				z := open(bytes.NewReader(stream))
				for err := error(nil); err == nil; {
					_, err = z.Read(buf)
				}
			}
		}
		b.Run(name, func(b *testing.B) { read(b, func(r io.Reader) io.Reader { return newInflater(r) }) })
		b.Run(name+"/compress-flate", func(b *testing.B) { read(b, func(r io.Reader) io.Reader { return flate.NewReader(r) }) })
	}
}
