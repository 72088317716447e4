package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readResponse(in string, limits Limits) (Response, error) {
	conn := newConn(&fixed{in: strings.NewReader(in)}, limits.WithDefaults(), nil)
	return newIMAPStream(conn, &said{}).response()
}

func TestResponse(t *testing.T) {
	t.Parallel()
	atom := func(s string) Node { return Node{Text: s} }
	str := func(s string) Node { return Node{Kind: String, Text: s} }
	list := func(n ...Node) Node { return Node{Kind: List, List: n} }
	cases := []struct {
		in   string
		want Response
	}{
		{"* ok\n", Response{Tag: "*", Type: "OK", Status: Status{Condition: "OK"}}},
		{"a1 NO [uidvalidity  7] text\r\n", Response{Tag: "a1", Type: "NO", Status: Status{Condition: "NO", Code: "UIDVALIDITY", CodeArgs: " 7", Text: "text"}}},
		{"* BYE [ALERT]\r\n", Response{Tag: "*", Type: "BYE", Status: Status{Condition: "BYE", Code: "ALERT"}}},
		{"* OK [PERMANENTFLAGS (a] \\*)] x\r\n", Response{Tag: "*", Type: "OK", Status: Status{Condition: "OK", Code: "PERMANENTFLAGS", CodeArgs: `(a] \*)`, Text: "x"}}},
		{"* OK [open\r\n", Response{Tag: "*", Type: "OK", Status: Status{Condition: "OK", Text: "[open"}}},
		{"+ idling\r\n", Response{Tag: "+", Status: Status{Text: "idling"}}},
		{"+\r\n", Response{Tag: "+"}},
		{"* 12 EXISTS\r\n", Response{Tag: "*", Type: "EXISTS", Num: 12}},
		{"* FLAGS (\\Seen a]b \\*)\r\n", Response{Tag: "*", Type: "FLAGS", Nodes: []Node{list(atom(`\Seen`), atom("a]b"), atom(`\*`))}}},
		{"* LIST () NIL {4}\r\na\r\nb\r\n", Response{Tag: "*", Type: "LIST", Nodes: []Node{list(), {Kind: Nil}, str("a\r\nb")}}},
		{`* LIST (\A(b)c) "\\" "a\"b"` + "\r\n", Response{Tag: "*", Type: "LIST", Nodes: []Node{list(atom(`\A`), list(atom("b")), atom("c")), str(`\`), str(`a"b`)}}},
		{`* LIST () "/" a"b` + "\r\n", Response{Tag: "*", Type: "LIST", Nodes: []Node{list(), str("/"), atom(`a"b`)}}},
		{"* X ~{1}\r\na {1+}\r\nb{0}\r\n{x}\r\n", Response{Tag: "*", Type: "X", Nodes: []Node{str("a"), str("b"), str(""), atom("{x}")}}},
		{"* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0>{1}\r\nx)\r\n", Response{Tag: "*", Type: "FETCH", Num: 1, Nodes: []Node{list(atom("BODY[HEADER.FIELDS (A B)]<0>"), str("x"))}}},
		{"* SEARCH\r\n", Response{Tag: "*", Type: "SEARCH"}},
		{"* search 1 2 \r\n", Response{Tag: "*", Type: "SEARCH", Raw: "1 2 "}},
		{"* ESEARCH (TAG \"a\") UID ALL 1:3\r\n", Response{Tag: "*", Type: "ESEARCH", Raw: `(TAG "a") UID ALL 1:3`}},
	}
	for _, tc := range cases {
		got, err := readResponse(tc.in, Limits{})
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q:\ngot  %+v, %v\nwant %+v", tc.in, got, err, tc.want)
		}
	}
}

func TestResponseRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "\r\n", "*\r\n", "* \r\n", "*OK\r\n", "a b c\r\n", "* 1\r\n", "* X (\r\n", "* X )\r\n", "* X \"a\r\n", "* X \"a\\\"\r\n",
		"* OK {1}\r\n", "* SEARCH {1}\r\n1\r\n", "* X {-1}\r\n", "* X {1", "* X {2}\r\na", "* X a\rb\r\n", "* X \x00\r\n", "* X {1}\r\na",
		strings.Repeat("a", 33) + " OK\r\n", "a\x1b OK\r\n",
	} {
		if got, err := readResponse(in, Limits{}); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func TestResponseDepth(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]error{64: nil, 65: ErrTooMuch} {
		in := "* X " + strings.Repeat("(", depth) + strings.Repeat(")", depth) + "\r\n"
		if _, err := readResponse(in, Limits{}); !errors.Is(err, want) {
			t.Errorf("%d deep: got %v, want %v", depth, err, want)
		}
	}
}

// A line that is too long costs no more memory than it takes to see that: the
// buffer does not double over the limit.
func TestLongLineCostsItsLimit(t *testing.T) {
	t.Parallel()
	for in, most := range map[string]int{
		"* SEARCH" + strings.Repeat(" 1", 2<<20):  1 << 20,
		"* LIST () " + strings.Repeat("x", 2<<20): 300_000,
	} {
		conn := newConn(&fixed{in: strings.NewReader(in)}, Limits{Line: 300_000, Listing: 1 << 20, Messages: 1000}.WithDefaults(), nil)
		s := newIMAPStream(conn, &said{})
		var err error
		for err == nil { // a listing comes in pieces
			_, err = s.response()
		}
		if !errors.Is(err, ErrTooMuch) {
			t.Errorf("%.10s: got %v, want %v", in, err, ErrTooMuch)
		}
		if got := len(s.buf); got > most+streamBuffer {
			t.Errorf("%.10s: a buffer of %d bytes for a line of at most %d", in, got, most)
		}
	}
}

// A listing may be as long as a mailbox of Limits.Messages makes it, and costs no
// more memory than before: it is read in pieces. What cannot be cut is bounded as
// ever.
func TestListingOfAllMessages(t *testing.T) {
	t.Parallel()
	const messages, most = 100_000, 128 << 10
	numbers := func(n int, sep string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d%s", 4_000_000_000+2*i, sep)
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"SEARCH":                {"* SEARCH " + numbers(messages, " ") + "\r\n", nil},
		"ESEARCH":               {"* ESEARCH (TAG \"x\") UID ALL " + numbers(messages, ",") + "1\r\n", nil},
		"more than the mailbox": {"* SEARCH " + numbers(2*messages, " ") + "\r\n", ErrTooMuch},
		"a long number":         {"* SEARCH 1 2 " + strings.Repeat("3", 1<<20) + "\r\n", ErrTooMuch},
		"a long number, whole":  {"* SEARCH 1 2 " + strings.Repeat("3", most+100) + "\r\n", ErrTooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := newConn(&fixed{in: strings.NewReader(tt.in + "* 7 EXISTS\r\n")}, Limits{Line: 64 << 10, Listing: most, Messages: messages}.WithDefaults(), nil)
			s := newIMAPStream(conn, &said{})
			var r Response
			var err error
			for err == nil && r.Type != "EXISTS" {
				r, err = s.response()
				if got := len(s.buf); got > most+streamBuffer {
					t.Fatalf("a buffer of %d bytes", got)
				}
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte("* LIST (\\A) \"/\" {3}\r\na b\r\n* OK [X (]) y] z\r\n+ x\r\n"))
	f.Add([]byte("* 1 FETCH (BODY[1 (A)]<1> NIL ~{0}\r\n \"\\\"\")\r\na OK\r\n* SEARCH 1 2\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{Line: 2048, Listing: 4096, Depth: 8}.WithDefaults()
		conn := newConn(&fixed{in: bytes.NewReader(data)}, limits, nil)
		s := newIMAPStream(conn, &said{})
		for {
			r, err := s.response()
			if err != nil {
				if conn.Err() == nil {
					t.Fatalf("%v did not close the connection", err)
				}
				if r.Tag != "" {
					t.Fatalf("%+v beside %v", r, err)
				}
				return
			}
			if len(r.Text) > textCap || len(r.Raw) > limits.Listing || depth(r.Nodes) > limits.Depth {
				t.Fatalf("unbounded: %+v", r)
			}
		}
	})
}

func depth(nodes []Node) int {
	deepest := 0
	for _, n := range nodes {
		if n.Kind == List {
			deepest = max(deepest, 1+depth(n.List))
		}
	}
	return deepest
}

// TestStreamGoesOnAfterKick interrupts a read in the middle of a line.
func TestStreamGoesOnAfterKick(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	conn := newConn(&fixed{in: in}, Limits{}.WithDefaults(), nil)
	s := newIMAPStream(conn, &said{})
	s.begin()
	go func() { // it ends with the write
		_, _ = out.Write([]byte("* 1 EX"))
		_, _ = out.Write([]byte("ISTS\r\n"))
	}()
	if err := s.fill(); err != nil {
		t.Fatal(err)
	}
	conn.kick()
	if _, err := s.line(); !errors.Is(err, errKicked) {
		t.Fatalf("got %v, want errKicked", err)
	}
	conn.unkick()
	if line, err := s.line(); err != nil || string(line) != "* 1 EXISTS" {
		t.Errorf("got %q, %v", line, err)
	}
	if conn.Err() != nil {
		t.Errorf("the connection ended: %v", conn.Err())
	}
}

// A long listing comes in pieces that read like answers of their own, however
// the bytes arrive, and the response behind it is the next one.
func TestLongListingComesInPieces(t *testing.T) {
	t.Parallel()
	var numbers []string
	for i := range 50_000 {
		numbers = append(numbers, strconv.Itoa(2*i+1))
	}
	for name, c := range map[string]struct{ head, sep, tail, first, more string }{
		"SEARCH":               {"* SEARCH ", " ", "", "", ""},
		"SEARCH with MODSEQ":   {"* search ", " ", " (MODSEQ 9 " + strings.Repeat("x ", 40_000) + ")", "", ""},
		"ESEARCH":              {"* ESEARCH (TAG \"x\") UID ALL ", ",", "", "(TAG \"x\") UID ALL ", "ALL "},
		"ESEARCH with a COUNT": {"* esearch UID ALL ", ",", " COUNT 50000", "UID ALL ", "ALL "},
	} {
		for _, slow := range []bool{false, true} {
			t.Run(fmt.Sprint(name, slow), func(t *testing.T) {
				t.Parallel()
				var in io.Reader = strings.NewReader(c.head + strings.Join(numbers, c.sep) + c.tail + "\r\n* 7 EXISTS\r\n")
				if slow {
					in = &oneByte{in}
				}
				s := newIMAPStream(newConn(&fixed{in: in}, Limits{}.WithDefaults(), nil), &said{})
				var got []string
				for n := 0; ; n++ {
					r, err := s.response()
					if err != nil {
						t.Fatal(err)
					}
					if r.Type == "EXISTS" {
						if n < 3 || r.Num != 7 {
							t.Errorf("%d pieces, and then %+v", n, r)
						}
						break
					}
					prefix := c.first
					if n > 0 {
						prefix = c.more
					}
					raw, ok := strings.CutPrefix(r.Raw, prefix)
					if !ok || r.Type != strings.Fields(strings.ToUpper(c.head))[1] {
						t.Fatalf("piece %d is %s %.40q", n, r.Type, r.Raw)
					}
					raw, _, _ = strings.Cut(raw, "(MODSEQ") // as addSearch of source/imap does
					raw, _, _ = strings.Cut(raw, " COUNT")
					got = append(got, strings.FieldsFunc(raw, func(r rune) bool { return r == ' ' || r == ',' })...)
				}
				if !slices.Equal(got, numbers) {
					t.Errorf("got %d numbers, want %d", len(got), len(numbers))
				}
			})
		}
	}
}
