// Package imap is the IMAP side of an account: it implements pull.Source and
// pull.Session on a connection that package wire opens and guards. Everything
// it does leaves the server as it was: EXAMINE and BODY.PEEK only.
//
// Two parties speak on the one connection, never at the same time. LIST,
// STATUS, EXAMINE and the listing of UIDs are commands of ours, sent by
// wire.IMAP.Aside and answered to our own bounded parser, because go-imap
//
//   - decodes mailbox names while it reads them, so that one bad name ends the
//     connection, and encodes them anew when it sends them, which does not
//     always give the same bytes;
//   - knows UIDVALIDITY only in capitals, and cannot tell a missing one from 0;
//   - gives an untagged answer to the first command of a fitting type, so that
//     two STATUS or SEARCH in flight mix;
//   - inserts each number of a SEARCH answer singly, which is quadratic.
//
// The bodies come through go-imap, whose strength they are: several UID FETCH
// commands in flight, and literals that stream. It does not look at its own
// state before it sends FETCH, so it need not know of our EXAMINE.
//
// What go-imap says of a fetch is not taken on trust. A body counts when
// exactly as many bytes came as its literal announced and the command was
// completed; and each UID that was asked for is accounted for: whole, gone, or
// failed with a reason. See fetch.go.
package imap
