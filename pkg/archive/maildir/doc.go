// Package maildir is the archive: it keeps messages as files in Maildir
// folders and climbs rungs 1 to 5 of the ladder. It implements the seams
// pull.Store, mail.Box and mail.Batch. A newcomer must know one thing: what stands in cur/
// and new/ was whole and flushed before it got its name there, and nothing here
// ever overwrites or removes it.
//
// # Messages
//
// A message's file is named
//
//	<unix time>.<key>.mailpull,S=<size>,W=<size with CRLF>[:2,<flags>]
//
// where the time is INTERNALDATE, or the time of delivery where there is none;
// S is the size of the file and W its size with every line end counted as CRLF:
// Dovecot takes both from the name instead of reading the file. A message
// without any flag is put into new/, any other into cur/ with its flags. The
// modification time is INTERNALDATE. While it is being written a message is in
// tmp/ under <number>.<key>.mailpull, and what a crash left there is removed
// when the folder is opened next.
//
// Readers may move, flag and delete messages at will: a message is found by its
// key in whatever cur/ and new/ hold.
//
// A message in which every CR and every LF stands in a CRLF, and which ends in
// one, is kept with LF (mail.FormLF). Any other is kept as it was received
// (mail.FormWire): one with a lone LF, one with a lone CR, which readers take
// for different things, one without a last line end, and the empty one.
//
// # Folders
//
// In layout Maildirpp INBOX is the account's directory itself and every other
// mailbox a folder beside it, ".Work.2024". In layout FS INBOX is the folder
// INBOX, and "Work/2024" is Work/2024. Dovecot 2.3 shows the mailboxes under
// the names that they have on the server with
//
//	mail_location = maildir:ARCHIVE/ACCOUNT
//	mail_location = maildir:ARCHIVE/ACCOUNT:LAYOUT=fs:INBOX=ARCHIVE/ACCOUNT/INBOX
//
// and, where names need the escapes below, with its plugin listescape and
// listescape_char set to "=".
//
// Mailbox names are hostile. Each level is written in ASCII, in the modified
// UTF-7 that Dovecot expects (RFC 3501 section 5.1.3): so no file system can
// normalise two names into one, and no terminal is fooled. What must not stand
// in a name is written "=xx", the byte in hexadecimal: control bytes, bytes that
// are no UTF-8, "/", "=" itself, a dot at either end of a level, a space at its
// end, "~" at its beginning, and
//
//   - in layout Maildirpp every dot: there it parts the levels;
//   - in layout FS the first byte of cur, new, tmp, in any case, and of the
//     names that Dovecot gives to its own files.
//
// An empty level is "=n". A name longer than the 255 bytes of a file name is
// cut, and "=h" with 160 bits of the whole name's hash follows; so do, in layout
// FS, the levels below the 16th, as one.
//
// # Case
//
// On a file system that folds case "Work" and "work" are one folder, on most
// servers they are two mailboxes, and the archive may be copied from one file
// system to another. Both being ordinary names, no rule that looks at one of
// them alone can keep both as they are. So the disk remembers: the first of
// them to be archived has the plain name, and a later one, which finds a
// folder that differs from its own in nothing but case, has "=u" and the
// pattern of its capitals behind its name, as in "WORK=uf". What is chosen once
// is found again whatever the order of later passes, and the choice is the same
// on every file system. A mailbox "Inbox" beside INBOX always has the pattern,
// because mail programs would take it for INBOX.
//
// Two mailboxes of one server that differ only in the delimiter between the
// same levels share a folder. Keys are derived from the whole name, so their
// messages stay apart.
package maildir
