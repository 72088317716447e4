package daemon

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"mailpull/pkg/config"
)

// iterations make guessing a password from its fingerprint slow: the figure
// that OWASP's password storage sheet gives for PBKDF2 with SHA-256. It takes
// a fifth of a second, and only an account whose sign-in was refused pays it.
const iterations = 600_000

// fingerprint tells whether an account would sign in as it did when before was
// made: the same server, name and password. It returns before if so, else
// another value. It holds no secret: a salted hash that is slow to compute.
//
// A password that cannot be read has the fingerprint of none: that is a change
// only where there was one before.
func fingerprint(ctx context.Context, a config.Account, before string) string {
	salt, hash, ok := strings.Cut(before, ":")
	raw, err := hex.DecodeString(salt)
	if !ok || err != nil || len(raw) == 0 {
		raw = []byte(rand.Text())
	}
	now := hashOf(ctx, a, raw)
	if subtle.ConstantTimeCompare([]byte(now), []byte(hash)) == 1 {
		return before
	}
	return hex.EncodeToString(raw) + ":" + now
}

func hashOf(ctx context.Context, a config.Account, salt []byte) string {
	password, err := a.Password.Read(ctx)
	text := fmt.Sprintf("%s\x00%d\x00%s\x00%s\x00%s\x00", a.Host, a.Port, a.Security, a.Protocol, a.Username)
	if err == nil {
		text += password.Reveal()
	}
	key, err := pbkdf2.Key(sha256.New, text, salt, iterations, sha256.Size)
	if err != nil { // only FIPS mode refuses lengths, and these are allowed
		return ""
	}
	return hex.EncodeToString(key)
}
