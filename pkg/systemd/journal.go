package systemd

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"unicode"

	"github.com/coreos/go-systemd/v22/journal"
)

// identifier is what journalctl -t looks for.
const identifier = "mailpull"

// stackKey is the attribute that is only a field: it has many lines, and a
// journal's message has one.
const stackKey = "stack"

// UnderJournal reports whether standard error leads to the journal, so that a
// Handler says the same with its fields apart.
func UnderJournal() bool {
	stream, err := journal.StderrIsJournalStream()
	return err == nil && stream && journal.Enabled()
}

// Handler is a slog.Handler that writes to the journal. A record's attributes
// become fields of their own: account is MAILPULL_ACCOUNT, so that
//
//	journalctl MAILPULL_ACCOUNT=work -p warning
//
// finds what befell one account. Beside them are PRIORITY, SYSLOG_IDENTIFIER
// and, for the messages of Events, MESSAGE_ID. MESSAGE is the message and its
// attributes, as in a log of text; the journal has time and level itself.
type Handler struct {
	level    slog.Leveler
	fallback slog.Handler
	send     func(message string, priority journal.Priority, fields map[string]string) error
	ids      map[string]string
	groups   []string
	attrs    []attr
}

// attr is an attribute with the groups that it is in, as it is written.
type attr struct {
	path  []string
	value string
}

// NewHandler returns a Handler for records of level and above. fallback gets
// what the journal does not take, such as while it is started anew: the handler
// that would write to standard error. Nil drops it.
func NewHandler(level slog.Leveler, fallback slog.Handler) *Handler {
	if fallback == nil {
		fallback = slog.DiscardHandler
	}
	return &Handler{level: level, fallback: fallback, send: journal.Send, ids: Events()}
}

// Enabled reports whether records of this level are written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes one record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	attrs := h.attrs[:len(h.attrs):len(h.attrs)] // appending copies
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, h.groups, a)
		return true
	})
	if err := h.send(text(r.Message, attrs), priority(r.Level), h.fields(r.Message, attrs)); err != nil {
		return h.fallback.Handle(ctx, r)
	}
	return nil
}

// WithAttrs returns a Handler whose records have attrs too.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.fallback = h.fallback.WithAttrs(attrs)
	with.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		with.attrs = flatten(with.attrs, h.groups, a)
	}
	return &with
}

// WithGroup returns a Handler that puts the attributes to come under name.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h // as slog.Handler wants it
	}
	with := *h
	with.fallback = h.fallback.WithGroup(name)
	with.groups = append(h.groups[:len(h.groups):len(h.groups)], name)
	return &with
}

// flatten appends a, and what is in it when it is a group. As slog.Handler wants
// it, an empty attribute is nothing, and a group without a name is not one.
func flatten(attrs []attr, groups []string, a slog.Attr) []attr {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return attrs
	}
	path := groups
	if a.Key != "" {
		path = append(groups[:len(groups):len(groups)], a.Key)
	}
	if a.Value.Kind() != slog.KindGroup {
		return append(attrs, attr{path: path, value: a.Value.String()})
	}
	for _, inner := range a.Value.Group() {
		attrs = flatten(attrs, path, inner)
	}
	return attrs
}

// fields returns what stands beside MESSAGE and PRIORITY. Of two attributes with
// one name the later counts.
func (h *Handler) fields(message string, attrs []attr) map[string]string {
	fields := map[string]string{"SYSLOG_IDENTIFIER": identifier}
	if id, ok := h.ids[message]; ok {
		fields["MESSAGE_ID"] = id
	}
	for _, a := range attrs {
		fields[fieldName(a.path)] = strings.ToValidUTF8(a.value, "\uFFFD")
	}
	return fields
}

// maxField is how long the name of a field may be; the journal drops an entry's
// field with a longer one (journal_field_valid in systemd's journal-file.c).
const maxField = 64

// fieldName makes the name of a field: capital letters, digits and underscores
// are all that the journal takes (systemd.journal-fields(7)).
func fieldName(path []string) string {
	name := "MAILPULL_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, strings.Join(path, "_"))
	return name[:min(len(name), maxField)]
}

// text returns the one line that journalctl shows.
func text(message string, attrs []attr) string {
	var b strings.Builder
	b.WriteString(quoted(message, false))
	for _, a := range attrs {
		key := strings.Join(a.path, ".")
		if key == stackKey {
			continue
		}
		b.WriteByte(' ')
		b.WriteString(quoted(key, true))
		b.WriteByte('=')
		b.WriteString(quoted(a.value, true))
	}
	return b.String()
}

// quoted returns s in quotes where it would not be one word, or not one line.
func quoted(s string, word bool) string {
	odd := func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar || word && (r == ' ' || r == '"' || r == '=')
	}
	if word && s == "" || strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}

// priority returns the journal's word for a level: who reads -p warning sees
// what will be tried again, who reads -p err what needs somebody.
func priority(level slog.Level) journal.Priority {
	switch {
	case level < slog.LevelInfo:
		return journal.PriDebug
	case level < slog.LevelWarn:
		return journal.PriInfo
	case level < slog.LevelError:
		return journal.PriWarning
	}
	return journal.PriErr
}
