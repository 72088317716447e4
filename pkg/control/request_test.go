package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// say sends raw bytes and returns all that comes back.
func say(t *testing.T, path, text string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// The server may close before it has read everything; what it said counts.
	_, _ = io.WriteString(conn, text)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// post makes a request as curl would.
func post(path, body string) string {
	r, err := http.NewRequest(http.MethodPost, "http://mailpull"+path, strings.NewReader(body))
	if err != nil {
		panic(err) // the test's own constant
	}
	r.Close = true
	var b bytes.Buffer
	_ = r.Write(&b) // to memory
	return b.String()
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, status, says string }{
		"no JSON":         {post("/pull", "please"), "400", `"bad_request"`},
		"a list":          {post("/pull", "[]"), "400", `"bad_request"`},
		"empty":           {post("/pull", ""), "400", `"bad_request"`},
		"two values":      {post("/pull", `{"schema_version":1}{}`), "400", `"bad_request"`},
		"unknown key":     {post("/pull", `{"schema_version":1,"force":true}`), "400", `unknown field \"force\"`},
		"no version":      {post("/pull", `{}`), "400", `"version"`},
		"next version":    {post("/pull", `{"schema_version":2,"force":true}`), "400", `schema_version 2, and the daemon speaks 1`},
		"too large":       {post("/pull", `{"schema_version":1,"accounts":["`+strings.Repeat("x", maxRequest)+`"]}`), "400", "larger than 64 KiB"},
		"unknown command": {post("/remove", `{"schema_version":1}`), "404", `"not_found"`},
		"wrong method":    {"GET /pull HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404", `"not_found"`},
		"endless header":  {"POST /pull HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20), "431", ""},
		"garbage":         {"\x16\x03\x01\x02\r\n\r\n", "400", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			got := say(t, start(t, f, nil), c.text)
			if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, c.says) {
				t.Errorf("got %q, want %s with %q", got, c.status, c.says)
			}
			if heard := f.heard(); len(heard) != 0 {
				t.Errorf("the daemon heard %q", heard)
			}
		})
	}
}

// A good request in the same bytes as above is done: or the table would prove
// nothing.
func TestCurl(t *testing.T) {
	t.Parallel()
	f := &fake{}
	got := say(t, start(t, f, nil), post("/pause", `{"schema_version":1,"accounts":["work"]}`))
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || !strings.HasSuffix(got, `{"schema_version":1}`+"\n") {
		t.Errorf("got %q", got)
	}
	if heard := f.heard(); len(heard) != 1 || heard[0] != "pause [work]" {
		t.Errorf("the daemon heard %q", heard)
	}
}

// Clients that connect and say nothing, or half of something, hold up nobody,
// and the end of the daemon least of all.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	s, err := Listen(Options{Path: path, Handler: &fake{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, begun := range []string{"", "POST /pull HTT", "POST /pull HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"} {
		for range 20 {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }() // the server has closed it by then
			if _, err := io.WriteString(conn, begun); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := dial(t, path).Reload(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), requestLimit/2)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// Somebody else's server on the socket is told from a daemon.
func TestNotADaemon(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, says string }{
		"html":         {"<html>", "the answer is not one of mailpull's daemon"},
		"next version": {`{"schema_version":2}`, "the daemon answers with schema_version 2"},
		"endless":      {strings.Repeat(" ", maxAnswer+1), "the answer is larger than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseAnswer(strings.NewReader(c.answer))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"schema_version":1,"accounts":["work"],"wait":true}`))
	f.Add([]byte(`{"schema_version":2}`))
	f.Add([]byte(`{"schema_version":1,"accounts":null}`))
	f.Add([]byte(`{"schema_version":1} {}`))
	f.Add([]byte("\xff{"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, failed := parseRequest(body)
		if failed != nil {
			if failed.Code != codeRequest && failed.Code != codeVersion || failed.Message == "" {
				t.Errorf("got %+v", failed)
			}
			return
		}
		for _, account := range r.Accounts {
			if !utf8.ValidString(account) {
				t.Errorf("%q is not UTF-8", account)
			}
		}
		// What was understood means the same when it is said again.
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if twice, failed := parseRequest(again); failed != nil || twice.Wait != r.Wait || len(twice.Accounts) != len(r.Accounts) {
			t.Errorf("%s became %+v, %+v", again, twice, failed)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"schema_version":1,"reports":[{"account":"work","state":"ok","new":1}]}`))
	f.Add([]byte(`{"schema_version":1,"error":{"code":"unknown_account","message":"x","account":"y"}}`))
	f.Add([]byte(`{"schema_version":1,"status":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseAnswer(bytes.NewReader(body))
		if err == nil && a.Error != nil && a.Error.restored("daemon pull").Error() == "" {
			t.Error("an error without a word")
		}
	})
}
