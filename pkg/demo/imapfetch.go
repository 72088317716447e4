package demo

import (
	"bytes"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Fetch implements imapserver.Session. Bodies, headers and texts are cut out
// of the stored bytes; the library's own helper parses the header and writes
// it anew, which changes every message that is not written as it would write
// it, and loses the ones that it cannot parse.
func (s *imapSession) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	if o.Envelope || o.BodyStructure != nil || len(o.BinarySection) > 0 || len(o.BinarySectionSize) > 0 {
		return errRefused() // nothing here parses mail
	}
	if slices.ContainsFunc(o.BodySection, func(b *imap.FetchItemBodySection) bool { return !rawSection(b) }) {
		return errRefused()
	}
	if !s.readOnly && slices.ContainsFunc(o.BodySection, func(b *imap.FetchItemBodySection) bool { return !b.Peek }) {
		s.changeFlags(set, func(flags []string) []string { return withFlag(flags, `\Seen`) })
	}
	return s.each(set, func(seq uint32, m *message) error {
		return s.fetch(w.CreateMessage(seq), m, o)
	})
}

// rawSection reports whether a section is a run of the stored bytes.
func rawSection(b *imap.FetchItemBodySection) bool {
	return len(b.Part) == 0 && len(b.HeaderFields) == 0 && len(b.HeaderFieldsNot) == 0 &&
		b.Specifier != imap.PartSpecifierMIME
}

func (s *imapSession) fetch(w *imapserver.FetchResponseWriter, m *message, o *imap.FetchOptions) error {
	if o.UID {
		w.WriteUID(imap.UID(m.uid))
	}
	if o.Flags {
		w.WriteFlags(imapFlags(s.store.flagsOf(m)))
	}
	if o.InternalDate {
		w.WriteInternalDate(m.date)
	}
	if o.RFC822Size {
		w.WriteRFC822Size(int64(len(m.body)))
	}
	var err error
	for _, section := range o.BodySection {
		err = errors.Join(err, s.fetchSection(w, m, section))
	}
	// Also after an error: the writer holds the connection's lock until then.
	return errors.Join(err, w.Close())
}

func (s *imapSession) fetchSection(w *imapserver.FetchResponseWriter, m *message, section *imap.FetchItemBodySection) error {
	data := slice(sectionOf(m.body, section.Specifier), section.Partial)
	if section.Specifier == imap.PartSpecifierNone {
		s.store.countIMAP(section.Partial == nil || section.Partial.Offset == 0, len(data))
	}
	literal := w.WriteBodySection(section, int64(len(data)))
	_, err := literal.Write(data)
	return errors.Join(err, literal.Close())
}

// sectionOf cuts a section out of a message.
func sectionOf(body []byte, specifier imap.PartSpecifier) []byte {
	end := headerEnd(body)
	switch specifier {
	case imap.PartSpecifierHeader:
		return body[:end]
	case imap.PartSpecifierText:
		return body[end:]
	default:
		return body
	}
}

// headerEnd returns where the header and its empty line end: at the end of
// the message where there is no empty line.
func headerEnd(body []byte) int {
	for at := 0; at < len(body); {
		n := bytes.IndexByte(body[at:], '\n')
		if n < 0 {
			break
		}
		line := bytes.TrimSuffix(body[at:at+n], []byte{'\r'})
		at += n + 1
		if len(line) == 0 {
			return at
		}
	}
	return len(body)
}

// slice returns the octets that a partial fetch asks for (RFC 9051 section
// 6.4.5): fewer, or none, when it reaches beyond the end.
func slice(data []byte, partial *imap.SectionPartial) []byte {
	if partial == nil {
		return data
	}
	start := min(partial.Offset, int64(len(data)))
	return data[start:][:min(partial.Size, int64(len(data))-start)]
}

// Store implements imapserver.Session.
func (s *imapSession) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	if s.readOnly {
		return errRefused()
	}
	named := flagTexts(flags.Flags)
	s.changeFlags(set, func(old []string) []string {
		switch flags.Op {
		case imap.StoreFlagsAdd:
			return withFlag(old, named...)
		case imap.StoreFlagsDel:
			return slices.DeleteFunc(slices.Clone(old), func(f string) bool { return hasFlag(named, f) })
		default:
			return named
		}
	})
	if flags.Silent {
		return nil
	}
	_, byUID := set.(imap.UIDSet)
	return s.Fetch(w, set, &imap.FetchOptions{Flags: true, UID: byUID})
}

func (s *imapSession) changeFlags(set imap.NumSet, change func([]string) []string) {
	_ = s.each(set, func(_ uint32, m *message) error {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		m.flags = change(m.flags)
		return nil
	})
}

// withFlag returns flags and the ones of more that are not among them.
func withFlag(flags []string, more ...string) []string {
	flags = slices.Clone(flags)
	for _, f := range more {
		if !hasFlag(flags, f) {
			flags = append(flags, f)
		}
	}
	return flags
}

// each calls do for every message of the set that the client knows of.
func (s *imapSession) each(set imap.NumSet, do func(seq uint32, m *message) error) error {
	for i, m := range s.view {
		seq := uint32(i + 1)
		if !s.inSet(set, seq, m) {
			continue
		}
		if err := do(seq, m); err != nil {
			return err
		}
	}
	return nil
}

// inSet reports whether the set names the message. Each end of a range can be
// "*", the last message, and the ends can stand in either order.
func (s *imapSession) inSet(set imap.NumSet, seq uint32, m *message) bool {
	last := s.view[len(s.view)-1]
	switch set := set.(type) {
	case imap.SeqSet:
		return slices.ContainsFunc(set, func(r imap.SeqRange) bool {
			return between(seq, r.Start, r.Stop, uint32(len(s.view)))
		})
	case imap.UIDSet:
		return slices.ContainsFunc(set, func(r imap.UIDRange) bool {
			return between(m.uid, uint32(r.Start), uint32(r.Stop), last.uid)
		})
	default:
		return false
	}
}

// between reports whether n lies in the range; zero ends mean last.
func between(n, start, stop, last uint32) bool {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop) <= n && n <= max(start, stop)
}
