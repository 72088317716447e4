package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSize is how many bytes a secret may have. OAuth tokens of some kilobytes
// exist; a file above this is not a secret but a mistaken path.
const maxSize = 64 << 10

// Source says where a secret comes from. Exactly one field is set.
type Source struct {
	// Plain is the secret itself.
	Plain String

	// File is the path of a file that holds the secret and nothing else but
	// one line end.
	File string

	// Command is a program with its arguments, run without a shell, which
	// prints the secret as the first line of its standard output.
	Command []string

	// Env is the name of an environment variable.
	Env string

	// Credential is the name of a systemd credential: a file in the folder
	// $CREDENTIALS_DIRECTORY.
	Credential string
}

// Kind returns "plain", "file", "command", "env" or "credential", and the
// empty string when no field or more than one is set.
func (s Source) Kind() string {
	kinds := make([]string, 0, 1)
	if !s.Plain.IsZero() {
		kinds = append(kinds, "plain")
	}
	if s.File != "" {
		kinds = append(kinds, "file")
	}
	if len(s.Command) > 0 {
		kinds = append(kinds, "command")
	}
	if s.Env != "" {
		kinds = append(kinds, "env")
	}
	if s.Credential != "" {
		kinds = append(kinds, "credential")
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

// Read gets the secret. It looks anew at each call, so that a secret can be
// changed while the program runs; call it once per sign-in. It may be called
// from any goroutine.
//
// An empty secret and one that holds CR, LF or NUL are errors: these bytes
// end a line of the protocols, and what follows would be taken for a command.
// No error holds any part of the secret or of the file it was looked for in.
// A command is killed, with all that it started, when ctx ends; the context's
// error is then in the chain.
func (s Source) Read(ctx context.Context) (String, error) {
	if err := ctx.Err(); err != nil {
		return String{}, fmt.Errorf("read the secret: %w", err)
	}
	switch s.Kind() {
	case "plain":
		return checked("plain secret", s.Plain.Reveal())
	case "file":
		return fromFile(fmt.Sprintf("secret file %q", s.File), s.File)
	case "command":
		return fromCommand(ctx, s.Command, commandLimit)
	case "env":
		return fromEnv(s.Env)
	case "credential":
		return fromCredential(s.Credential)
	default:
		return String{}, errors.New("read the secret: no source or more than one is set")
	}
}

func fromEnv(name string) (String, error) {
	what := fmt.Sprintf("secret variable %q", name)
	text, ok := os.LookupEnv(name)
	if !ok {
		return String{}, fmt.Errorf("%s: not set in the environment", what)
	}
	return checked(what, text)
}

// fromCredential reads a credential as systemd hands it to a service
// (systemd.exec(5), "Credentials").
func fromCredential(name string) (String, error) {
	what := fmt.Sprintf("secret credential %q", name)
	if !OneComponent(name) {
		return String{}, fmt.Errorf("%s: not a credential's name; it is a file name without folders", what)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return String{}, fmt.Errorf("%s: $CREDENTIALS_DIRECTORY is not set;"+
			" put LoadCredential=%s:PATH into the systemd unit", what, name)
	}
	return fromFile(what, filepath.Join(dir, name))
}

// OneComponent reports whether name is a plain file name: not empty, neither
// "." nor "..", without a slash or a NUL.
func OneComponent(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// checked returns the text as a secret unless a protocol could not carry it.
// The error starts with what and shows nothing of the text.
func checked(what, text string) (String, error) {
	switch {
	case text == "":
		return String{}, fmt.Errorf("%s: is empty", what)
	case len(text) > maxSize:
		return String{}, fmt.Errorf("%s: is larger than %d bytes", what, maxSize)
	case strings.ContainsAny(text, "\r\n"):
		return String{}, fmt.Errorf("%s: has more than one line; leave only the secret in it", what)
	case strings.Contains(text, "\x00"):
		return String{}, fmt.Errorf("%s: holds a NUL byte; no server can be sent that", what)
	}
	return New(text), nil
}
