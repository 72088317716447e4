// Package secret holds passwords and tokens and knows where they come from.
//
// The one thing to know: a String never shows what it holds, whatever prints
// it. The plain text comes out of Reveal and nowhere else, so every place
// that can leak a secret is found by searching for that word.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every secret looks like when it is printed.
const Redacted = "[redacted]"

// String is a secret text. The zero value is the empty secret. It is a value
// that may be copied and used from any goroutine. Two Strings must not be
// compared with ==; compare what Reveal returns.
type String struct {
	// text is behind a pointer because fmt calls no methods on unexported
	// fields: a struct that keeps a String in one would print the plain text,
	// and so it prints an address.
	text *string
}

// New returns s as a secret.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{text: &s}
}

// Reveal returns the plain text. Call it where the text goes to the wire and
// nowhere else.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.text == nil }

// String returns Redacted.
func (s String) String() string { return Redacted }

// GoString returns Redacted.
func (s String) GoString() string { return Redacted }

// Format writes Redacted for every verb: without it, %x and %d would look
// into the struct.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText returns Redacted.
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON returns Redacted as a JSON string.
func (s String) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalYAML returns Redacted as a YAML string.
func (s String) MarshalYAML() (any, error) { return Redacted, nil }

// LogValue returns Redacted.
func (s String) LogValue() slog.Value { return slog.StringValue(Redacted) }
