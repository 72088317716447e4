package mailtest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// oracleCase is an archive of two messages with records that are true.
type oracleCase struct {
	disk    *MemDisk
	oracle  *Oracle
	records Records
	refs    []mail.Ref
	bodies  []string
}

func newOracleCase(t *testing.T) *oracleCase {
	t.Helper()
	c := &oracleCase{disk: NewMemDisk("/mail"), oracle: NewOracle("work"), bodies: []string{"a\r\nb\r\n", "bare\nline\r\n"}}
	delivered := make(map[mail.Ref]bool)
	c.records = Records{
		Delivered: func(ref mail.Ref) bool { return delivered[ref] },
		Listed:    make(map[mail.Key]mail.Delivery),
	}
	for i, body := range c.bodies {
		ref := mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: mail.UID(i + 1)}
		c.refs = append(c.refs, ref)
		c.oracle.Add([]byte(body), ref)
		delivered[ref] = true
		c.records.Listed[c.key(i)] = mail.Delivery{
			Item: mail.Item{Ref: ref}, Key: c.key(i), Size: int64(len(body)), SHA256: sha256.Sum256([]byte(body)), Form: mail.FormWire,
		}
	}
	c.put(t, "cur", c.name(0, "a\nb\n")+":2,S", "a\nb\n")
	c.put(t, "new", c.name(1, c.bodies[1]), c.bodies[1])
	return c
}

func (c *oracleCase) key(i int) mail.Key { return mail.NewKey("work", c.refs[i]) }

func (c *oracleCase) name(i int, stored string) string {
	return fmt.Sprintf("1700000000.%s.mailpull,S=%d,W=%d", c.key(i), len(stored), len(c.bodies[i]))
}

func (c *oracleCase) folder(t *testing.T, name string) *MemDisk {
	t.Helper()
	_ = c.disk.Mkdir(name) // it may be there
	dir, err := c.disk.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	return dir.(*MemDisk)
}

func (c *oracleCase) put(t *testing.T, folder, name, text string) {
	t.Helper()
	c.folder(t, folder).Put(name, []byte(text))
}

func (c *oracleCase) remove(t *testing.T, folder, name string) {
	t.Helper()
	if err := c.folder(t, folder).Remove(name); err != nil {
		t.Fatal(err)
	}
}

// The oracle finds nothing where all is well, and names the promise where one
// thing is not.
func TestOracle(t *testing.T) {
	t.Parallel()
	second := func(c *oracleCase) string { return c.name(1, c.bodies[1]) }
	for name, tt := range map[string]struct {
		change func(t *testing.T, c *oracleCase)
		want   string // the promise and a word of the text; empty: none
	}{
		"all is well": {func(*testing.T, *oracleCase) {}, ""},
		"lost":        {func(t *testing.T, c *oracleCase) { c.remove(t, "new", second(c)) }, "P1: recorded as delivered, and not in the archive"},
		"lost since it was renumbered": {func(t *testing.T, c *oracleCase) {
			c.oracle.Gone(c.refs[1])
			c.records.Delivered = func(ref mail.Ref) bool { return ref == c.refs[0] }
			c.remove(t, "new", second(c))
		}, "P1: listed in the manifest, and not in the archive"},
		"never recorded": {func(t *testing.T, c *oracleCase) {
			c.records.Delivered = func(ref mail.Ref) bool { return ref == c.refs[0] }
		}, "P1: complete, and not in the checkpoint"},
		"twice": {func(t *testing.T, c *oracleCase) {
			c.put(t, "cur", second(c)+":2,F", c.bodies[1])
		}, "P2: "},
		"unknown key": {func(t *testing.T, c *oracleCase) {
			c.put(t, "new", strings.Replace(second(c), c.key(1).String(), mail.Key{}.String(), 1), c.bodies[1])
		}, "P2: no message has this key"},
		"partial": {func(t *testing.T, c *oracleCase) {
			c.put(t, "new", second(c), c.bodies[1][:4])
		}, "P3: 4 bytes where the name says"},
		"other bytes": {func(t *testing.T, c *oracleCase) {
			c.put(t, "new", second(c), strings.ToUpper(c.bodies[1]))
		}, "P3: not the bytes"},
		"left in tmp":    {func(t *testing.T, c *oracleCase) { c.put(t, "tmp", "1.x.mailpull", "") }, "P3: complete, and 1 files left in tmp/"},
		"beside":         {func(t *testing.T, c *oracleCase) { c.put(t, "Work", "x", "") }, "P3: a file beside"},
		"foreign name":   {func(t *testing.T, c *oracleCase) { c.put(t, "new", "x", "") }, "P3: not a name of ours"},
		"not listed":     {func(_ *testing.T, c *oracleCase) { delete(c.records.Listed, c.key(1)) }, "P11: recorded as delivered, and not in the manifest"},
		"listed untruly": {func(_ *testing.T, c *oracleCase) { c.lie(func(d *mail.Delivery) { d.SHA256[0]++ }) }, "P11: the manifest has another size or hash"},
		"form is a lie":  {func(_ *testing.T, c *oracleCase) { c.lie(func(d *mail.Delivery) { d.Form = mail.FormLF }) }, "P11: the manifest says lf"},
		"never sent": {func(_ *testing.T, c *oracleCase) {
			c.records.Listed[mail.Key{1}] = mail.Delivery{}
		}, "P11: the manifest lists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOracleCase(t)
			tt.change(t, c)
			breaches := c.oracle.JudgeComplete(durable.Dir(c.disk), c.records)
			switch {
			case tt.want == "" && len(breaches) == 0:
			case tt.want != "" && len(breaches) == 1 && strings.HasPrefix(breaches[0].String(), tt.want):
			default:
				t.Errorf("got %v, want %q", breaches, tt.want)
			}
		})
	}
}

func (c *oracleCase) lie(change func(*mail.Delivery)) {
	d := c.records.Listed[c.key(1)]
	change(&d)
	c.records.Listed[c.key(1)] = d
}

// A message that the server has no longer must stay, and one that it lists
// under another ref is still one message.
func TestOracleRemembers(t *testing.T) {
	t.Parallel()
	c := newOracleCase(t)
	later := mail.Ref{Mailbox: mail.Inbox, Validity: 8, UID: 1}
	c.oracle.Renamed(c.refs[0], later)
	c.oracle.Gone(c.refs[1])
	if got := c.oracle.JudgeComplete(c.disk, c.records); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
	c.remove(t, "new", c.name(1, c.bodies[1]))
	if got := c.oracle.JudgeComplete(c.disk, c.records); len(got) != 1 || got[0].Promise != "P1" {
		t.Errorf("got %v, want P1", got)
	}
}
