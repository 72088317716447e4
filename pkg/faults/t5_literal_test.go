package faults

import (
	"fmt"
	"strings"

	"mailpull/pkg/wire"
)

// t5MaxLiteral is the size of the largest message that the cases of this file
// permit. It is large enough for the honest ones.
const t5MaxLiteral = 100

// t5BodySizes are sizes of literals in the place of message 2.
func t5BodySizes() []t5Case {
	const (
		spoilt  = "protocol message; without INBOX/2"
		cut     = "connect message; without INBOX/2"
		refused = "server message; without INBOX/2"
	)
	size := len(t5Body)
	// fake is what a message holds that would like to be read as answers.
	fake := "\r\n* 2 FETCH (UID 2 RFC822.SIZE 3 BODY[] {3}\r\nbad)\r\nT1 OK done\r\nT2 OK done\r\n"
	var cases []t5Case
	for _, l := range []struct {
		name, header string
		body         string
		want         string
	}{
		{"0", "{0}", "", refused},
		{"1, of more", "{1}", t5Body, spoilt},
		{"one byte too few", fmt.Sprintf("{%d}", size-1), t5Body, spoilt},
		{"leading zeros", fmt.Sprintf("{000000000000000000000000%d}", size), t5Body, "complete"},
		{"a plus sign", fmt.Sprintf("{%d+}", size), t5Body, "complete"},
		{"a literal8", fmt.Sprintf("~{%d}", size), t5Body, "complete"},
		{"the limit and one more", fmt.Sprintf("{%d}", t5MaxLiteral+1), strings.Repeat("x", t5MaxLiteral+1), spoilt},
		{"over the limit, and it looks like answers", fmt.Sprintf("{%d}", len(fake)+t5MaxLiteral), fake + strings.Repeat("x", t5MaxLiteral), spoilt},
		{"2^31", "{2147483648}", fake, spoilt},
		{"2^32", "{4294967296}", fake, spoilt},
		{"2^32 and the true size", fmt.Sprintf("{%d}", 1<<32+size), t5Body, spoilt},
		{"2^63-1", "{9223372036854775807}", fake, spoilt},
		{"2^64", "{18446744073709551616}", fake, spoilt},
		{"2^64 and the true size", "{18446744073709551660}", t5Body, spoilt},
		{"twenty nines", "{99999999999999999999}", fake, spoilt},
		{"-1", "{-1}", fake, spoilt},
		{"+1", "{+1}", fake, spoilt},
		{"two plus signs", fmt.Sprintf("{%d++}", size), t5Body, spoilt},
		{"hexadecimal", "{0x2c}", t5Body, spoilt},
		{"a point", fmt.Sprintf("{%d.0}", size), t5Body, spoilt},
		{"a blank inside", "{4 4}", t5Body, spoilt},
		{"nothing", "{}", fake, spoilt},
		{"no end", "{44", fake, spoilt},
		{"behind the size", fmt.Sprintf("{%d}x", size), fake, spoilt},
		{"a megabyte of digits", "{" + strings.Repeat("0", 1<<20) + "44}", t5Body, spoilt},
	} {
		cases = append(cases, t5Case{row: "V3", name: "body: " + l.name, want: l.want,
			limits: wire.Limits{Literal: t5MaxLiteral},
			lie:    message(fmt.Sprintf("* 2 FETCH (UID 2 RFC822.SIZE %d BODY[] %s\r\n%s)", size, l.header, l.body))})
	}
	for _, n := range []int{0, 1, size - 1} {
		cases = append(cases, t5Case{row: "I-1", name: fmt.Sprintf("body: cut behind %d bytes", n), want: cut,
			lie: message(fmt.Sprintf("=* 2 FETCH (UID 2 BODY[] {%d}\r\n%s", size, t5Body[:n]), "HANGUP")})
	}
	return append(cases,
		t5Case{row: "I-1", name: "body: cut behind the body", want: cut,
			lie: message("=* 2 FETCH (UID 2 BODY[] "+t5Literal, "HANGUP")},
		t5Case{row: "I-1", name: "body: 2 GiB are announced, and then the server goes", want: cut,
			lie: message("* 2 FETCH (UID 2 BODY[] {2147483648}\r\n"+t5Body, "HANGUP")},
		t5Case{row: "I-1", name: "body: two bytes too many", want: spoilt,
			lie: message(fmt.Sprintf("* 2 FETCH (UID 2 BODY[] {%d}\r\n%sxx)", size, t5Body))})
}

// t5OtherSizes are literals in places where a message does not stand.
func t5OtherSizes() []t5Case {
	place := func(prefix, head, tail string, good, bad string) []t5Case {
		var cases []t5Case
		for _, l := range []struct{ name, header, data, want string }{
			{"0", "{0}", "", good},
			{"1", "{1}", "x", good},
			{"the largest", "{65536}", strings.Repeat("x", 65536), good},
			{"one more", "{65537}", strings.Repeat("x", 65537), bad},
			{"2^31", "{2147483648}", "", bad},
			{"2^32", "{4294967296}", "", bad},
			{"2^63-1", "{9223372036854775807}", "", bad},
			{"2^64", "{18446744073709551616}", "", bad},
			{"leading zeros", "{0001}", "x", good},
			{"-1", "{-1}", "", bad},
		} {
			cases = append(cases, t5Case{row: "V3", name: prefix + ": literal: " + l.name, want: l.want,
				lie: ahead(prefix, head+l.header+"\r\n"+l.data+tail)})
		}
		return cases
	}
	var cases []t5Case
	cases = append(cases, place("CAPABILITY", "* CAPABILITY ", " x", "complete", t5Protocol)...)
	cases = append(cases, place("LIST", `* X () "/" `, "", "complete", t5Protocol)...)
	cases = append(cases, place("STATUS", "* STATUS ", " (MESSAGES 1)", "complete", t5Protocol)...)
	cases = append(cases, place("EXAMINE", "* X ", " (y)", "complete", t5Protocol)...)
	cases = append(cases, place("UID FETCH", "* 9 FETCH (X ", " UID 9)", "complete", "protocol message; nothing is stored")...)
	return cases
}
