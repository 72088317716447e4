package maildir

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// want is how a message must be kept, said as simply as possible.
func want(wire string) (form mail.Form, stored string, virtual int) {
	bare := strings.ReplaceAll(wire, "\r\n", "")
	stored, form = wire, mail.FormWire
	if !strings.ContainsAny(bare, "\r\n") && strings.HasSuffix(wire, "\r\n") {
		stored, form = strings.ReplaceAll(wire, "\r\n", "\n"), mail.FormLF
	}
	lone := strings.Count(stored, "\n") - strings.Count(stored, "\r\n")
	return form, stored, len(stored) + lone
}

// shortTexts returns every text of at most n of the letters CR, LF and x.
func shortTexts(n int) []string {
	texts := []string{""}
	for begin := 0; n > 0; n-- {
		end := len(texts)
		for _, t := range texts[begin:end] {
			texts = append(texts, t+"\r", t+"\n", t+"x")
		}
		begin = end
	}
	return texts
}

// pieces cuts text at the places whose bits are set in mask.
func pieces(text string, mask int) [][]byte {
	var all [][]byte
	begin := 0
	for i := 1; i < len(text); i++ {
		if mask&(1<<(i-1)) != 0 {
			all = append(all, []byte(text[begin:i]))
			begin = i
		}
	}
	return append(all, []byte(text[begin:]))
}

// The message in memory and the message in pieces, cut in every way, are kept
// as the rule says, for every short text.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	for _, text := range shortTexts(6) {
		form, stored, virtual := want(text)
		var ends lines
		ends.see([]byte(text))
		if got := ends.proper(); got != (form == mail.FormLF) {
			t.Errorf("%q: in one piece, proper is %v", text, got)
		}
		for mask := range 1 << max(len(text)-1, 0) {
			d := newMemDir()
			l := streamed(t, d, pieces(text, mask))
			if l.m.form != form || l.m.virtual != int64(virtual) || l.m.stored != int64(len(stored)) ||
				l.m.wire != int64(len(text)) || l.m.sum != sha256.Sum256([]byte(text)) {
				t.Errorf("%q cut at %b: got %v %d %d %d", text, mask, l.m.form, l.m.virtual, l.m.stored, l.m.wire)
			}
			if len(d.files) != 1 || d.files[l.m.name].String() != stored {
				t.Errorf("%q cut at %b: kept %q", text, mask, d.files)
			}
		}
	}
}

// streamed writes a message in the given pieces, as a large one is.
func streamed(t *testing.T, d durable.Dir, pieces [][]byte) *large {
	t.Helper()
	l := &large{m: &message{tmp: d, name: "1"}, hash: sha256.New()}
	var rest []io.Reader
	for _, p := range pieces[1:] {
		rest = append(rest, bytes.NewReader(p))
	}
	first := append(make([]byte, 0, 8), pieces[0]...)
	if err := l.stream(first, io.MultiReader(rest...)); err != nil {
		t.Fatal(err)
	}
	return l
}

// The same texts through the front door, small and behind half a megabyte of
// proper lines, and back.
func TestLineEndsOnDisk(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), Maildirpp)
	s.small = minBuffer
	box := openBox(t, s, mail.Inbox)
	line := "a line of mail\r\n"
	long := strings.Repeat(line, s.small/len(line)) // exactly as much as is streamed
	for i, head := range []string{"", long, long + "12345"} {
		n := 5
		if head != "" {
			n = 3
		}
		for j, text := range shortTexts(n) {
			wire := head + text
			form, stored, virtual := want(wire)
			key := keyOf(1000*i + j)
			d := put(t, s, box, key, iotest.HalfReader(strings.NewReader(wire)), mail.Item{Date: someDate})
			if d.Form != form || d.Size != int64(len(wire)) || d.SHA256 != sha256.Sum256([]byte(wire)) {
				t.Errorf("%d + %q: got %v %d", len(head), text, d.Form, d.Size)
			}
			if got := readAll(t, box, key, d.Form); got != wire {
				t.Errorf("%d + %q: read back %d bytes, not the same", len(head), text, len(got))
			}
			name := fmt.Sprintf("%d.%v.mailpull,S=%d,W=%d", someDate.Unix(), key, len(stored), virtual)
			if got := readAll(t, box, key, mail.FormWire); got != stored {
				t.Errorf("%s: the file holds %d bytes, want %d", name, len(got), len(stored))
			}
			f, err := mustFolder(t, box).new.Open(name)
			if err != nil {
				t.Errorf("%d + %q: %v", len(head), text, err)
				continue
			}
			_ = f.Close()
		}
	}
}

// mustFolder opens a box's folder until the test ends.
func mustFolder(t *testing.T, box mail.Box) *dirs {
	t.Helper()
	f := box.(*Box).folder
	d, err := f.acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.release)
	return d
}

func TestWireReader(t *testing.T) {
	t.Parallel()
	for _, text := range shortTexts(5) {
		want := strings.ReplaceAll(text, "\n", "\r\n")
		if err := iotest.TestReader(&wireReader{file: strings.NewReader(text)}, []byte(want)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		one := iotest.OneByteReader(&wireReader{file: iotest.DataErrReader(strings.NewReader(text))})
		if got, err := io.ReadAll(one); err != nil || string(got) != want {
			t.Errorf("%q: byte by byte got %q, %v", text, got, err)
		}
	}
	boom := errors.New("boom")
	r := &wireReader{file: io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(boom))}
	if got, err := io.ReadAll(r); !errors.Is(err, boom) || string(got) != "a\r\nb" {
		t.Errorf("got %q, %v, want what was read and the error", got, err)
	}
}

// memDir is as much of a Dir as writing a message needs, in memory.
type memDir struct {
	durable.Dir
	files map[string]*bytes.Buffer
}

func newMemDir() *memDir { return &memDir{files: make(map[string]*bytes.Buffer)} }

type memFile struct {
	durable.File
	io.Reader
	io.Writer
}

func (f memFile) Read(p []byte) (int, error)  { return f.Reader.Read(p) }
func (f memFile) Write(p []byte) (int, error) { return f.Writer.Write(p) }
func (memFile) Close() error                  { return nil }

func (d *memDir) Create(name string) (durable.File, error) {
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	d.files[name] = new(bytes.Buffer)
	return memFile{Writer: d.files[name]}, nil
}

func (d *memDir) Open(name string) (durable.File, error) {
	return memFile{Reader: bytes.NewReader(d.files[name].Bytes())}, nil
}

func (d *memDir) Remove(name string) error {
	delete(d.files, name)
	return nil
}
