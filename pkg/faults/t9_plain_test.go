package faults

import (
	"bufio"
	"io"
	"net"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// t9Handshake is what a server does in place of a handshake, once it has heard
// the client begin one.
type t9Handshake struct {
	name   string
	says   string
	hangUp bool // else it falls silent
	class  mail.Class
	hint   string
}

// t9Handshakes are for all four ways.
var t9Handshakes = []t9Handshake{
	{"garbage", "\xde\xad\xbe\xef\x00\x01\x02\x03\x04\x05\x06\x07", false, mail.ClassTLS, "security"},
	{"web server", "HTTP/1.0 400 Bad Request\r\n\r\n", true, mail.ClassTLS, "security"},
	{"plain text", "* OK you need no TLS here, believe me\r\n+OK\r\n", false, mail.ClassTLS, "security"},
	{"record longer than any", "\x16\x03\x03\xff\xff" + strings.Repeat("\x00", 70000), false, mail.ClassTLS, ""},
	{"record that is no hello", "\x16\x03\x03\x00\x04\x0e\x00\x00\x00", false, mail.ClassTLS, ""},
	{"data before the keys", "\x17\x03\x03\x00\x05hello", false, mail.ClassTLS, ""},
	{"protocol refused (ALPN)", "\x15\x03\x03\x00\x02\x02\x78", true, mail.ClassTLS, "handshake"},
	{"handshake failure", "\x15\x03\x03\x00\x02\x02\x28", true, mail.ClassTLS, "handshake"},
	{"closed politely", "\x15\x03\x03\x00\x02\x01\x00", true, mail.ClassConnect, ""},
	{"cut at once", "", true, mail.ClassConnect, ""},
	{"cut in a record", "\x16\x03\x03\x00\x7a\x02\x00\x00", true, mail.ClassConnect, ""},
	{"silent", "", false, mail.ClassTimeout, "does not answer"},
	{"silent in a record", "\x16\x03\x03\x00\x7a\x02\x00\x00", false, mail.ClassTimeout, "does not answer"},
}

// t9Plain plays a server up to the handshake and does what the row says.
func t9Plain(conn net.Conn, way t9Way, row t9Handshake) {
	in := bufio.NewReader(conn)
	if way.security == wire.StartTLS && !t9Agree(conn, in, way) {
		return
	}
	if _, err := in.ReadByte(); err != nil { // of the client's hello
		return
	}
	_, _ = io.WriteString(conn, row.says) // who has gone reads nothing
	if !row.hangUp {
		_, _ = io.Copy(io.Discard, in) // until the client goes
	}
}

// t9Agree talks in the clear until it has agreed to TLS.
func t9Agree(conn net.Conn, in *bufio.Reader, way t9Way) bool {
	offer := t9Stripping{greeting: "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", answer: "$ OK go on\r\n"}
	if !way.imap {
		offer = t9Stripping{greeting: "+OK hello\r\n", capa: "+OK\r\nSTLS\r\n.\r\n", answer: "+OK go on\r\n"}
	}
	return t9Talk(conn, in, offer)
}

// t9Stripping is a server that has no STARTTLS, or that somebody on the way
// took it from.
type t9Stripping struct {
	name     string
	greeting string
	capa     string // the answer to CAPABILITY or CAPA; "$" is the tag
	answer   string // to STARTTLS or STLS
	class    mail.Class
	hint     string
}

const (
	t9Hello  = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hello\r\n"
	t9Offers = "+OK\r\nSTLS\r\nSASL PLAIN\r\nUSER\r\n.\r\n"
	t9Bare   = "+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n"
)

// t9Strippings are by the name of the way.
var t9Strippings = map[string][]t9Stripping{
	"IMAP STARTTLS": {
		{"not offered in the greeting", "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n", "", "", mail.ClassTLS, "offers no encryption"},
		{"not offered", "* OK hello\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGIN\r\n$ OK done\r\n", "", mail.ClassTLS, "offers no encryption"},
		{"no capabilities", "* OK hello\r\n", "$ OK done\r\n", "", mail.ClassProtocol, "security"},
		{"CAPABILITY refused", "* OK hello\r\n", "$ BAD what\r\n", "", mail.ClassServer, ""},
		{"NO", t9Hello, "", "$ NO not now\r\n", mail.ClassTLS, "offers no encryption"},
		{"BAD", t9Hello, "", "$ BAD what\r\n", mail.ClassTLS, "offers no encryption"},
		{"+", t9Hello, "", "+ go on\r\n", mail.ClassProtocol, ""},
		{"BYE", t9Hello, "", "* BYE no\r\n", mail.ClassServer, ""},
		{"another tag's OK", t9Hello, "", "A1 OK go on\r\n", mail.ClassProtocol, ""},
		{"answer injected behind OK", t9Hello, "", "$ OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", mail.ClassProtocol, "tampering"},
		{"sign-in injected behind OK", t9Hello, "", "$ OK go on\r\n$ OK [CAPABILITY IMAP4rev1] in\r\n", mail.ClassProtocol, "tampering"},
		{"one byte injected behind OK", t9Hello, "", "$ OK go on\r\n*", mail.ClassProtocol, "tampering"},
		{"premature OK", t9Hello + "A1 OK go on\r\n", "", "", mail.ClassProtocol, ""},
		{"PREAUTH", "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in\r\n", "", "", mail.ClassTLS, "security to tls"},
		{"greeting BYE", "* BYE go away\r\n", "", "", mail.ClassServer, ""},
		{"greeting BAD", "* BAD hello\r\n", "", "", mail.ClassProtocol, "security"},
		{"tagged greeting", "A1 OK hello\r\n", "", "", mail.ClassProtocol, "security"},
		{"greeting of another protocol", "220 mail.example.com ESMTP\r\n", "", "", mail.ClassProtocol, "security"},
		{"port for TLS", "\x15\x03\x01\x00\x02\x02\x46\r\n", "", "", mail.ClassProtocol, "security"},
	},
	"POP3 STLS": {
		{"not offered", "+OK hello\r\n", t9Bare, "", mail.ClassTLS, "offers no encryption"},
		{"CAPA refused", "+OK hello\r\n", "-ERR what\r\n", "", mail.ClassTLS, "offers no encryption"},
		{"-ERR", "+OK hello\r\n", t9Offers, "-ERR no\r\n", mail.ClassTLS, "offers no encryption"},
		{"BAD", "+OK hello\r\n", t9Offers, "BAD what\r\n", mail.ClassProtocol, ""},
		{"+", "+OK hello\r\n", t9Offers, "+ \r\n", mail.ClassProtocol, ""},
		{"answer injected behind +OK", "+OK hello\r\n", t9Offers, "+OK go on\r\n" + t9Bare, mail.ClassProtocol, "tampering"},
		{"one byte injected behind +OK", "+OK hello\r\n", t9Offers, "+OK go on\r\n+", mail.ClassProtocol, "tampering"},
		{"premature +OK", "+OK hello\r\n+OK go on\r\n", "", "", mail.ClassProtocol, ""},
		{"greeting -ERR", "-ERR go away\r\n", "", "", mail.ClassServer, ""},
		{"greeting of another protocol", "* OK hello\r\n", "", "", mail.ClassProtocol, "security"},
		{"port for TLS", "\x15\x03\x01\x00\x02\x02\x46\r\n", "", "", mail.ClassProtocol, "security"},
	},
}

// t9Strip plays the server of a row, and falls silent then.
func t9Strip(conn net.Conn, way t9Way, row t9Stripping) {
	in := bufio.NewReader(conn)
	t9Talk(conn, in, row)
	_, _ = io.Copy(io.Discard, in) // until the client goes
}

// t9Talk greets, answers, and reports whether TLS was asked for.
func t9Talk(conn net.Conn, in *bufio.Reader, row t9Stripping) bool {
	_, _ = io.WriteString(conn, row.greeting) // who has gone reads nothing
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		line = strings.TrimSuffix(line, "\r\n")
		tag, command, tagged := strings.Cut(line, " ")
		if !tagged {
			command = line
		}
		say := func(text string) { _, _ = io.WriteString(conn, strings.ReplaceAll(text, "$", tag)) }
		switch command {
		case "CAPABILITY", "CAPA":
			say(row.capa)
		case "STARTTLS", "STLS":
			say(row.answer)
			return true
		default:
			return false
		}
	}
}
