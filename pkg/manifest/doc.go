// Package manifest keeps an account's append-only list of what the archive
// holds: one line for each delivered message, with the hash of the bytes that
// the server sent.
//
// The one thing to know: the list can be proved. Each line carries the hash
// of the line before it and each append ends in a hash of itself, so that no
// byte of the file can change unnoticed, and what an interrupted append left
// is told from damage.
//
// # Format
//
// The file is ASCII text, each line ended by LF. The first names the format's
// version and the account; all others have these fields, one space between:
//
//	2024-02-03T04:05:06Z        when the line was written, in UTC
//	aaaaaaaaaaaaaaaaaaaaaaaa    the key in the name of the archive's file
//	"INBOX" 7 12                mailbox, UIDVALIDITY, UID ("INBOX" 0 "x": UIDL)
//	4711                        size in bytes on the wire
//	9f86d081...                 SHA-256 of the bytes on the wire, in hex
//	lf                          the file's form: lf or wire
//	("\\Seen" "\\Flagged")      IMAP flags, () for none
//	2024-02-03T04:00:00Z        INTERNALDATE in UTC, - for none
//	"<one@example.com>"         Message-ID, "" for none
//	prev=0b1c2d...              hash of the line before this one, without LF
//	more                        the same append goes on in the next line
//	end 17 4e5f60...            this was the last line of append number 17;
//	                            hash of the line's bytes before this hash
//
// Names and texts are quoted as Go string literals with everything but
// printable ASCII escaped, so that any bytes survive. The first line ends in
// "end 0" and its hash and has no prev.
//
// A hash in prev and behind end is the first half of a SHA-256 in 32
// hexadecimal digits. The chain finds damage and edits. It is no signature:
// whoever may write the file can compute all of it anew. So nobody gains from
// two lines of the same hash that he made himself, and to find a second line
// for a given hash takes 2^128 tries.
//
// # Appends
//
// What one call of Append records is written with one write and flushed
// before the next one begins. So only the last append can be unfinished; it
// is then cut off as a whole, when what it left has the marks of a power cut:
// no line end, zeros, a whole sector of 512 bytes that is something else.
// Anything else that does not fit is damage.
package manifest
