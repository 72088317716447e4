package demo

import "strings"

// oddBodies returns the bodies of Odd.
func oddBodies() []string {
	return []string{
		"",
		"\r\n",
		"\r\n\r\n\r\n",
		"\n",
		".\r\n",
		"x",
		"no header at all, only a line\r\n",
		"Subject: a header and no empty line\r\n",
		"Subject: a header without an end",
		strings.ReplaceAll(subject("only bare line feeds")+"one\r\ntwo\r\n", "\r\n", "\n"),
		subject("one bare line feed") + "one\ntwo\r\nthree\r\n",
		subject("bare carriage returns") + "one\rtwo\r\rthree\r\n",
		subject("carriage return before the line end") + "one\r\r\ntwo\r\n",
		subject("ends in a carriage return") + "one\r\ntwo\r",
		subject("ends in a bare line feed") + "one\r\ntwo\n",
		subject("no final line end") + "one\r\ntwo",
		subject("a line of one dot") + "before\r\n.\r\nafter\r\n",
		subject("lines that begin with dots") + ".one\r\n..two\r\n...\r\n. four\r\n",
		subject("ends in a line of one dot") + "before\r\n.\r\n",
		subject("a dot between bare line feeds") + "before\n.\nafter\n.\r\nend\r\n",
		subject("a dot between carriage returns") + "before\r.\r\rafter\r\n",
		subject("a NUL byte") + "before\x00after\r\n",
		subject("control characters") + "\x01\x02\x07\x08\x0b\x0c\x1a\x1b[31m\x7f\r\n",
		subject("bytes that are no UTF-8") + "caf\xe9 \xff\xfe \x80\x9f\r\n",
		"\xef\xbb\xbf" + subject("a byte order mark first") + "text\r\n",
		subject("a very long line") + strings.Repeat("0123456789", 10_000) + "\r\n",
		"Subject: a very long header line\r\nX-Long: " + strings.Repeat("abcdefghij ", 3_000) + "\r\n\r\ntext\r\n",
		"From sender@example.com Mon Jan  1 00:00:00 2024\r\n" + subject("an mbox line first") + ">From the text\r\n",
		"Subject: folded\r\n\t over\r\n \r\n lines\r\nX-Empty:\r\n: no name\r\nno colon\r\n\r\ntext\r\n",
		subject("looks like an answer") + "a1 OK done\r\n* 1 FETCH (UID 1)\r\n+OK 5 octets\r\n)\r\n{10}\r\n",
		subject("many empty lines") + strings.Repeat("\r\n", 500),
	}
}
