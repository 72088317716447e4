package mailtest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Canary is a secret that a test hides, in every form in which a program may
// let it out. It is looked for in all that the program wrote.
type Canary struct {
	forms []canaryForm
}

type canaryForm struct {
	name string
	text []byte
}

// NewCanary returns a canary of secrets, each of which has 8 bytes at least:
// shorter ones are found by chance.
func NewCanary(secrets ...string) *Canary {
	c := &Canary{}
	for _, s := range secrets {
		if len(s) < 8 {
			panic(fmt.Sprintf("mailtest: a canary of %d bytes", len(s)))
		}
		c.add("plain", s)
		c.add("quoted", strings.Trim(strconv.Quote(s), `"`))
		c.add("quoted for IMAP", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
		c.add("hexadecimal", hex.EncodeToString([]byte(s)))
		c.add("hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(s))))
		c.add("bytes", strings.Trim(fmt.Sprint([]byte(s)), "[]"))
		c.add("URL", url.QueryEscape(s))
		c.add("URL", url.PathEscape(s))
		for before := range 3 {
			c.add("base64", insideBase64(base64.RawStdEncoding, s, before))
			c.add("base64", insideBase64(base64.RawURLEncoding, s, before))
		}
	}
	return c
}

func (c *Canary) add(name, text string) {
	c.forms = append(c.forms, canaryForm{name, []byte(text)})
}

// insideBase64 returns the digits that a secret has in the encoding of a longer
// text, whatever stands around it, when the bytes before it leave that many in
// the last group of three: with SASL PLAIN a user name stands before it.
func insideBase64(enc *base64.Encoding, secret string, before int) string {
	all := enc.EncodeToString(append(make([]byte, before), secret...))
	first := []int{0, 2, 3}[before] // these digits hold bits of what stands before
	whole := (before + len(secret)) * 8 / 6
	return all[first:whole]
}

// Found returns how data gives a secret away, or "" when it does not.
func (c *Canary) Found(data []byte) string {
	for _, form := range c.forms {
		if bytes.Contains(data, form.text) {
			return fmt.Sprintf("%s: %s", form.name, form.text)
		}
	}
	return ""
}
