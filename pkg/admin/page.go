package admin

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"mailpull/pkg/display"
)

var (
	//go:embed page.html
	pageText string

	//go:embed style.css
	style []byte

	page = template.Must(template.New("page").Parse(pageText))
)

// maxText is how much is shown of a text that is not ours.
const maxText = 300

// The words of the page, made from a snapshot.
type (
	pageView struct {
		Snapshot
		Summary   string
		Trouble   bool
		UpSince   moment
		Reloaded  moment
		Stuck     string // why the daemon does not move
		Broken    string // why the last reload was refused
		Accounts  []accountView
		Volumes   []volumeView
		Generated string
		Still     bool // it is not renewed by itself
	}

	accountView struct {
		Account
		Word, Kind, Why      string
		Complete, Next       moment
		Share                string // of the running pass, for a person
		Percent              int
		Archived, Waiting, Q string
		Rest                 string // what else there is to know of the numbers
	}

	volumeView struct {
		Name, Free, Inodes string
		Percent            int
		Low                bool
	}

	// moment is a time for a person: how far it is, and which it is.
	moment struct{ Text, Exact string }
)

// writePage writes the status page; a still one is not renewed by itself.
func writePage(w io.Writer, s Snapshot, still bool) error {
	v := viewOf(s)
	v.Still = still
	return page.Execute(w, v)
}

func viewOf(s Snapshot) pageView {
	v := pageView{
		Snapshot: s, UpSince: ago(s.Started, s.Now), Reloaded: ago(s.Reload.Time, s.Now),
		Stuck: short(s.Problem), Broken: short(s.Reload.Error), Generated: s.Now.Format("2006-01-02 15:04:05 MST"),
	}
	need := 0
	for _, a := range s.Accounts {
		v.Accounts = append(v.Accounts, viewOfAccount(a, s.Now))
		if a.needsSomebody() {
			need++
		}
	}
	slices.SortStableFunc(v.Accounts, func(a, b accountView) int { return a.rank() - b.rank() })
	for _, volume := range s.Volumes {
		v.Volumes = append(v.Volumes, viewOfVolume(volume))
	}
	low := slices.ContainsFunc(v.Volumes, func(v volumeView) bool { return v.Low })
	v.Trouble = need > 0 || low || v.Broken != "" || s.Problem != ""
	v.Summary = summary(len(s.Accounts), need, low)
	return v
}

// summary is what a person reads first.
func summary(accounts, need int, low bool) string {
	text := display.Grouped(accounts) + " accounts"
	if accounts == 1 {
		text = "1 account"
	}
	switch {
	case need == 1:
		text += ", 1 needs you"
	case need > 1:
		text += ", " + display.Grouped(need) + " need you"
	case !low:
		text += ", nothing for you to do"
	}
	if low {
		text += ", a disk is nearly full"
	}
	return text
}

// rank puts what needs somebody first, then what works, then the rest.
func (a accountView) rank() int {
	switch {
	case a.needsSomebody():
		return 0
	case a.Kind == "warn":
		return 1
	case a.State == "running":
		return 2
	}
	return 3
}

func viewOfAccount(a Account, now time.Time) accountView {
	v := accountView{
		Account: a, Complete: ago(a.LastComplete, now), Next: until(a, now),
		Archived: display.Grouped(a.Archived), Waiting: display.Grouped(a.Waiting), Q: display.Grouped(a.Quarantined),
	}
	v.Word, v.Kind = word(a)
	v.Why, v.NextStep = short(a.Reason), short(a.NextStep)
	v.Rest = rest(a)
	if p := a.Running; p != nil {
		v.Share, v.Percent = share(*p)
	}
	return v
}

// rest says how large what waits is, and what stays on the server.
func rest(a Account) string {
	var text []string
	if a.Waiting > 0 && a.WaitingBytes > 0 && a.Running == nil {
		text = append(text, "about "+display.Size(a.WaitingBytes)+" waiting")
	}
	if a.Excluded > 0 {
		text = append(text, display.Grouped(a.Excluded)+" excluded, older than since")
	}
	return strings.Join(text, "; ")
}

// word says how an account is, and which colour that has.
func word(a Account) (text, kind string) {
	switch a.State {
	case "running":
		return "running", "busy"
	case "paused":
		return "paused", "calm"
	case "auth_paused":
		return "sign-in refused", "bad"
	case "quota_paused":
		return "server's limit", "warn"
	case "disk_paused":
		return "disk", "bad"
	case "backoff":
		if a.Failures >= 3 {
			return "failing", "bad"
		}
		return "trying again", "warn"
	}
	switch {
	case a.Failures > 0:
		return "incomplete", "warn"
	case a.LastComplete.IsZero():
		return "new", "calm"
	}
	return "ok", "good"
}

// share says how far a pass has got.
func share(p Progress) (text string, percent int) {
	if p.Planned == 0 {
		return "looking for news", 0
	}
	text = fmt.Sprintf("%s of %s messages, %s", display.Grouped(p.Done), display.Grouped(p.Planned), display.Size(p.Bytes))
	if p.Rate > 0 {
		text += fmt.Sprintf(", %s/s", display.Size(int64(p.Rate)))
	}
	if left := display.Left(p.LeftBytes, p.Left); left != "" {
		text += ", " + left
	}
	return text, min(100, 100*p.Done/p.Planned)
}

func viewOfVolume(v Volume) volumeView {
	out := volumeView{Name: v.Name, Free: display.Size(int64(min(v.FreeBytes, math.MaxInt64))) + " free"}
	if v.TotalBytes > 0 {
		out.Free += " of " + display.Size(int64(min(v.TotalBytes, math.MaxInt64)))
		out.Percent = int(100 - 100*float64(v.FreeBytes)/float64(v.TotalBytes))
	}
	if v.TotalInodes > 0 {
		out.Inodes = "room for " + display.Grouped(int(v.FreeInodes)) + " files"
	}
	out.Low = out.Percent >= 90 || v.TotalInodes > 0 && float64(v.FreeInodes) < 0.1*float64(v.TotalInodes)
	return out
}

// short bounds a text that a server may have had a part in.
func short(text string) string {
	runes := []rune(strings.Map(harmless, strings.ToValidUTF8(text, "�")))
	if len(runes) <= maxText {
		return string(runes)
	}
	return string(runes[:maxText]) + "…"
}

// harmless leaves out what turns or hides the text beside it.
func harmless(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}
