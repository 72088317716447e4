// Package checkpoint keeps an account's record of what was delivered: which
// messages of which mailbox are in the archive, which mailboxes were complete
// at which state of the server, and how the last passes ended.
//
// The one thing to know: the record is a memory, not a truth. The archive
// knows by key what it holds, so a checkpoint that lost its last lines, or
// was deleted, repeats work and never a message. A checkpoint that claims too
// much would lose mail; therefore nothing is guessed, and a file that is
// damaged anywhere but at its end is refused.
//
// # Format
//
// The file is ASCII text, one record per line, made to be read with a pager
// and repaired with an editor:
//
//	mailpull checkpoint 1 account "work" source "imap" 5f55b505
//	mailbox 1 "INBOX" validity 7 aec25cec
//	seen 1 1:500,502 a8d85ff0
//	complete 1 uidnext 503 messages 501 modseq 0 size -1 listed 501 3bff5967
//	commit 12 c6d11004
//	seen 1 503:510 7aaff204
//	commit 13 d5738873
//	quarantine 1 501 tries 1 first 2026-11-26T20:00:00Z last 2026-11-26T20:00:00Z next 2026-11-26T21:00:00Z waiting class "server" reason "no body" 13070d82
//	commit 14 af1e4136
//
// Every line ends in a space, the CRC-32C (Castagnoli) of all the line's
// bytes before it in eight lower-case hexadecimal digits, and LF. Who edits a
// line by hand writes -------- in place of the checksum; it is computed when
// the file is opened next. A CR before the LF is overlooked, because some
// editors add it.
//
// Names, UIDLs and texts are quoted as Go string literals with everything but
// printable ASCII escaped, so that any bytes survive. A time is RFC 3339 in
// UTC, but for that of a uidl or an order line. A UID stands as it is and a UIDL in quotes,
// by which they are told apart.
//
// The first line names the format's version, the account and the source. It
// keeps its form and its checksum in every version; a version that this
// program does not know is refused.
//
//	mailbox NUMBER NAME validity N
//	    gives a mailbox the number by which later lines name it.
//	seen NUMBER UIDS
//	    these UIDs are delivered; a sequence-set (RFC 9051) without "*".
//	uidl NUMBER TIME UIDL
//	    this UIDL is delivered; it was first seen at TIME, in Unix seconds.
//	complete NUMBER uidnext N messages N modseq N size N listed N excluded N since T
//	    nothing was missing when the server's status was this and it listed
//	    so many messages; so many of them were left out because they had
//	    arrived before T, which does not stand here when there were none. A
//	    later seen or uidl line of the mailbox ends it.
//	order NUMBER mark N whole TIME kept|broken
//	    how far the order can be relied on in which a POP3 server lists its
//	    messages: some unique-ids and their places had the hash N when the
//	    mailbox was last complete, it was last listed whole at TIME, in Unix
//	    seconds, and new messages came behind known ones, or not.
//	quarantine NUMBER UID|UIDL tries N first T last T next T waiting|ignored class S reason S
//	    this message could not be had in so many passes and is left alone
//	    until its next try, or for good when it is ignored. A later line of
//	    the same message takes its place, and a seen or uidl line ends it.
//	release NUMBER UID|UIDL
//	    this message is in quarantine no longer; the server does not list it.
//	reset NUMBER validity N was N
//	    the server's refs no longer mean what they did: nothing is seen,
//	    nothing complete, and messages are matched until the next complete
//	    with nothing excluded.
//	    Under the same validity, as POP3 has it, what was seen or in
//	    quarantine stays so, and the order as well.
//	pass START END complete|incomplete new N bytes N missing N about N quarantined N class S error S hint S
//	    how a pass ended; about says how many bytes the missing messages have.
//	    It and quarantined are left out when they are 0.
//	commit N
//	    ends a group; the numbers count up by one from group to group.
//
// # Groups
//
// What one call made durable is a group, ended by its commit line and written
// with one write. The first group is the folded part: the state of an earlier
// moment, flushed before the file got its name, so it is whole or the file is
// damaged. All later groups were appended. Only the last of them can be
// unfinished, since a group is flushed before the next is written; it is
// dropped when it lacks its commit line, or has bad lines as a power cut leaves
// them: no line end, zeros, a whole sector of 512 bytes that is something else.
// A bad line without these marks, or one that is followed by the commit of a
// later group, is damage.
//
// When the appended groups outgrow the folded part the file is folded: the
// state is written to checkpoint.tmp, flushed, renamed over the file, and the
// directory is flushed. A crash leaves the old file or the new one.
package checkpoint
