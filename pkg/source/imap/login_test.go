package imap

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
)

// TestMain fails when a goroutine of a session outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLogin is the account that every test server knows.
func testLogin() signin.Login {
	return signin.Login{
		Username: "work",
		Password: func(context.Context) (secret.String, error) { return secret.New("correct"), nil },
	}
}
