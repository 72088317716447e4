package signin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mailpull/pkg/secret"
)

func login(user, password string, err error) Login {
	return Login{Username: user, Password: func(context.Context) (secret.String, error) {
		return secret.New(password), err
	}}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	cases := []struct {
		name string
		in   Login
		want error
	}{
		{"good", login("work", "p\u00e4ss", nil), nil},
		{"no source", Login{Username: "work"}, ErrEmpty},
		{"no password", login("work", "", nil), ErrEmpty},
		{"no user", login("", "pass", nil), ErrEmpty},
		{"CR", login("work", "pass\r", nil), ErrUnsendable},
		{"LF in the user", login("wo\nrk", "pass", nil), ErrUnsendable},
		{"NUL", login("work", "pa\x00ss", nil), ErrUnsendable},
		{"broken", login("work", "pass", broken), broken},
	}
	for _, tc := range cases {
		c, err := tc.in.Resolve(t.Context())
		if !errors.Is(err, tc.want) || (c != nil) != (tc.want == nil) {
			t.Errorf("%s: got %v, %v; want %v", tc.name, c, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "pass\r") {
			t.Errorf("%s: %q shows the password", tc.name, err)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	c, err := login("work", "pass", nil).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Plain()
	if want := base64.StdEncoding.EncodeToString([]byte("\x00work\x00pass")); err != nil || got.Reveal() != want {
		t.Errorf("got %q, %v; want %q", got.Reveal(), err, want)
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	t.Parallel()
	c, err := login("work", "hunter2", nil).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, *c); strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows %s", verb, got)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	c, err := login("work", `hun"ter\2`, nil).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.Plain()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join([]string{`a hun"ter\2`, `"hun\"ter\\2"`, plain.Reveal(), base64.StdEncoding.EncodeToString([]byte(`hun"ter\2`)),
		"68756e227465725c32", "68756E227465725C32", "hun%22ter%5C2", "b"}, "|")
	want := `a [redacted]|"[redacted]"|[redacted]|[redacted]|[redacted]|[redacted]|[redacted]|b`
	if got := c.Redact(text); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want string
		ok       bool
	}{
		{`a b`, `"a b"`, true}, {`a"\`, `"a\"\\"`, true}, {"ä", "", false}, {"a\n", "", false}, {"\x7f", "", false},
	} {
		if got, ok := Quote(tc.in); got != tc.want || ok != tc.ok {
			t.Errorf("%q: got %q, %t", tc.in, got, ok)
		}
	}
}
