package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mailpull/pkg/secret"
)

const plain = "hunter2-äö"

// leaks reports whether text holds the secret, plain or in hexadecimal.
func leaks(text string) bool {
	return strings.Contains(text, "hunter2") || strings.Contains(text, "äö") ||
		strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", "hunter2"))
}

func TestStringHidesFromEveryVerb(t *testing.T) {
	t.Parallel()
	s := secret.New(plain)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%10s", "%t", "%U"} {
		if got := fmt.Sprintf(verb, s); got != secret.Redacted {
			t.Errorf("%s: got %q, want %q", verb, got, secret.Redacted)
		}
		if got := fmt.Sprintf(verb, &s); got != secret.Redacted {
			t.Errorf("%s of a pointer: got %q, want %q", verb, got, secret.Redacted)
		}
	}
	if got := fmt.Sprint(s.String(), s.GoString()); leaks(got) {
		t.Errorf("String and GoString: got %q", got)
	}
}

// fmt looks at unexported fields without calling their methods, and %p goes
// past Format.
func TestStringHidesInsideOtherThings(t *testing.T) {
	t.Parallel()
	type holder struct {
		Public secret.String
		hidden secret.String
		list   []secret.String
		keyed  map[string]secret.String
	}
	s := secret.New(plain)
	h := holder{Public: s, hidden: s, list: []secret.String{s}, keyed: map[string]secret.String{"k": s}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%p", "%d"} {
		for _, v := range []any{s, h, &h, []any{s}, secret.Source{Plain: s}} {
			if got := fmt.Sprintf(verb, v); leaks(got) {
				t.Errorf("%s of %T leaks: %s", verb, v, got)
			}
		}
	}
	err := fmt.Errorf("sign in: %v %w", s, fmt.Errorf("%v", h))
	if leaks(err.Error()) {
		t.Errorf("error leaks: %v", err)
	}
}

func TestStringHidesInEncodings(t *testing.T) {
	t.Parallel()
	s := secret.New(plain)

	got, err := json.Marshal(map[secret.String]any{s: struct{ Password secret.String }{s}})
	if want := `{"[redacted]":{"Password":"[redacted]"}}`; err != nil || string(got) != want {
		t.Errorf("json: got %s, %v, want %s", got, err, want)
	}
	if v, err := s.MarshalYAML(); err != nil || v != secret.Redacted {
		t.Errorf("yaml: got %v, %v", v, err)
	}
	if v, err := s.MarshalText(); err != nil || string(v) != secret.Redacted {
		t.Errorf("text: got %s, %v", v, err)
	}
}

func TestStringHidesInLogs(t *testing.T) {
	t.Parallel()
	s := secret.New(plain)
	var out bytes.Buffer
	for name, h := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, nil),
		"json": slog.NewJSONHandler(&out, nil),
	} {
		out.Reset()
		slog.New(h).Info("sign in", "password", s, "source", secret.Source{Plain: s}, slog.Group("g", "pw", &s))
		if got := out.String(); leaks(got) || !strings.Contains(got, secret.Redacted) {
			t.Errorf("%s log: got %s", name, got)
		}
	}
}

func TestStringReveals(t *testing.T) {
	t.Parallel()
	if got := secret.New(plain).Reveal(); got != plain {
		t.Errorf("got %q, want %q", got, plain)
	}
	if secret.New(plain).IsZero() || !secret.New("").IsZero() || !(secret.String{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if got := (secret.String{}).Reveal(); got != "" {
		t.Errorf("zero value: got %q", got)
	}
}
