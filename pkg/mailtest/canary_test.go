package mailtest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"testing"
)

// TestCanary finds a secret in every form, and nothing where there is none.
func TestCanary(t *testing.T) {
	t.Parallel()
	const secret = `pa"ss wörd\1/+`
	c := NewCanary(secret)
	for _, text := range []string{
		"it is " + secret + " there",
		fmt.Sprintf("%q", secret),
		`LOGIN me "pa\"ss wörd\\1/+"`,
		hex.EncodeToString([]byte("x" + secret + "x")),
		fmt.Sprintf("%X", secret),
		fmt.Sprint([]byte(secret)),
		url.QueryEscape(secret),
		url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("\x00me\x00" + secret)),
		base64.StdEncoding.EncodeToString([]byte("\x00you\x00" + secret)),
		base64.StdEncoding.EncodeToString([]byte("\x00them\x00" + secret + " and more")),
		base64.URLEncoding.EncodeToString([]byte("\x00them\x00" + secret)),
	} {
		if c.Found([]byte(text)) == "" {
			t.Errorf("not found in %q", text)
		}
	}
	for _, text := range []string{"", "pa ss word", base64.StdEncoding.EncodeToString([]byte("some other text"))} {
		if found := c.Found([]byte(text)); found != "" {
			t.Errorf("found %s in %q", found, text)
		}
	}
}
