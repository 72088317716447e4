package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/metrics"
)

// TestDocs holds the documents against the program: the commands, flags,
// links, paths, targets, tests, exit codes, configurations and metrics that
// they name are there.
func TestDocs(t *testing.T) {
	t.Parallel()
	d := newDocs(t)
	for _, name := range documents(t, d.root) {
		text, err := os.ReadFile(filepath.Join(d.root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range d.check(name, string(text)) {
			t.Error(complaint)
		}
	}
	// A check that finds nothing to look at has lost its grip.
	for what, least := range map[string]int{
		"command": 25, "flag": 4, "link": 10, "path": 20, "target": 6, "test": 30, "configuration": 2, "exit code": 10, "metric": 6,
	} {
		if d.looked[what] < least {
			t.Errorf("only %d times a %s was looked at, of at least %d", d.looked[what], what, least)
		}
	}
}

// Each of these texts is wrong in one way, and each is noticed.
func TestDocsNoticeWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDocs(t)
	sh := func(line string) string { return "```sh\n" + line + "\n```\n" }
	for _, wrong := range []string{
		"run `mailpull rum`",
		"run `mailpull config validate|prin`",
		"run `mailpull run --fast`",
		"run `mailpull demo --json`",
		"run `mailpull --if-locked=fail run`",
		"with `--fast` it is faster",
		sh("*/15 * * * *  /usr/local/bin/mailpull rum"),
		sh("$ timeout 1 mailpull run --fast"),
		sh("$ mailpull status && mailpull rum"),
		"```ini\nExecStart=/usr/bin/mailpull serve\n```\n",
		"```console\nwhatever\n$ bin/mailpull stats\n```\n",
		"see [there](nowhere.md)",
		"see [there](README.md#nothing-like-it)",
		"see `pkg/nowhere`",
		"see `pkg/nowhere/*.go`",
		"see `docs/nowhere/NAME`",
		"type `make everything`",
		sh("make everything"),
		"proved by `TestNothing`",
		"proved by TestNothing",
		"proved by `wire.TestHouse`",
		"```yaml\narchive: /srv/mail\naccounts: []\n```\n",
		"```yaml\narchive: /srv/mail\naccounts:\n  - name: work\n    imap: { host: imap.example.com, user: me, password: { env: P } }\n```\n",
		"| exit code | meaning |\n|---|---|\n| 66 | what it is not |\n",
		"watch `mailpull_pending_mail`",
		"```console\n$ cat mailpull.prom\nmailpull_runs{account=\"work\"} 1\n```\n",
		"```yaml\nexpr: mailpull_pending_messages_sum > 0\n```\n",
		"```sh\nwithout an end\n",
	} {
		if got := d.check("README.md", wrong); len(got) == 0 {
			t.Errorf("not noticed: %q", wrong)
		}
	}
	for _, right := range []string{
		"run `mailpull config validate|print`, `mailpull run [ACCOUNT...]` or `mailpull run -vq work`",
		"`-v`, `--log-format json`, `-` and `--log-format=json`",
		sh("$ mailpull --config x.yaml run --if-locked fail work 2>&1 | less # mailpull rum"),
		"```console\n$ mailpull run\nmailpull rum is only what it says\n```\n",
		"```text\nmailpull checkpoint 1\n```\n",
		"see [there](docs/architecture.md#the-ladder), [here](#here) and [far](https://example.com/x)\n\n## Here\n",
		"see `pkg/source/NAME`, `pkg/wire/*.go` and `cmd/mailpull/`; [`make unit`](Makefile)",
		"`mailpull_pending_messages` and mailpull_run_duration_seconds_count",
		"proved by `mailpull.TestHouse` and TestScripts, and by `mailtest.TestSource`",
	} {
		if got := d.check("README.md", right); len(got) != 0 {
			t.Errorf("wrongly noticed in %q: %q", right, got)
		}
	}
}

// docs is what documents are compared with.
type docs struct {
	root    string // of the repository
	command *cobra.Command
	targets []string
	tests   map[string][]string // the packages of each test, by its name
	metrics []string            // the names that a file of metrics has
	looked  map[string]int      // how often something was looked at, by its kind
}

func newDocs(t *testing.T) *docs {
	t.Helper()
	d := &docs{root: filepath.Join("..", ".."), command: (&app{}).root(), looked: make(map[string]int)}
	d.command.InitDefaultHelpCmd()
	d.command.InitDefaultCompletionCmd()
	makefile, err := os.ReadFile(filepath.Join(d.root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9_-]*):`).FindAllSubmatch(makefile, -1) {
		d.targets = append(d.targets, string(m[1]))
	}
	d.tests = testNames(t, d.root)
	d.metrics = metricNames(t)
	return d
}

// metricNames returns the names of all metrics of a daemon, those of the parts
// of a histogram too.
func metricNames(t *testing.T) []string {
	t.Helper()
	m := metrics.NewDaemon(metrics.Build{})
	m.Add(metrics.Account{Name: "work"})
	m.Reloaded(true, time.Time{}, "")
	m.Disk("archive", 0, 0)
	var text strings.Builder
	if err := metrics.Write(&text, m); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(text.String(), -1) {
		names = append(names, m[1])
		if m[2] == "histogram" {
			names = append(names, m[1]+"_bucket", m[1]+"_sum", m[1]+"_count")
		}
	}
	return names
}

// documents lists the documents by their paths below root.
func documents(t *testing.T, root string) []string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		rel, err := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// testNames finds all tests, fuzz targets, benchmarks and suites, with the
// base names of their folders.
func testNames(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		folder := filepath.Base(filepath.Dir(path))
		if err != nil || !strings.HasSuffix(path, "_test.go") && (folder != "mailtest" || filepath.Ext(path) != ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(text, -1) {
			found[string(m[1])] = append(found[string(m[1])], folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// check returns what is wrong in a document, each with its place.
func (d *docs) check(name, text string) []string {
	var wrong []string
	at := func(line int) func(string, ...any) {
		return func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s:%d: ", name, line)+fmt.Sprintf(format, args...))
		}
	}
	blocks, prose, err := takeBlocks(text)
	if err != nil {
		at(strings.Count(text, "\n"))("%v", err)
	}
	for _, b := range blocks {
		d.checkBlock(b, at)
	}
	for _, m := range inlineCode.FindAllStringSubmatchIndex(prose, -1) {
		code := strings.Join(strings.Fields(prose[m[2]:m[3]]), " ")
		d.checkInline(code, at(lineOf(prose, m[2])))
	}
	for _, m := range testName.FindAllStringSubmatchIndex(prose, -1) {
		d.checkTest(group(prose, m, 1), group(prose, m, 2), at(lineOf(prose, m[0])))
	}
	for _, m := range linkTarget.FindAllStringSubmatchIndex(prose, -1) {
		d.checkLink(name, text, group(prose, m, 1), at(lineOf(prose, m[0])))
	}
	d.checkExitCodes(prose, at)
	for _, m := range metricName.FindAllStringIndex(text, -1) {
		d.checkMetric(text[m[0]:m[1]], at(lineOf(text, m[0])))
	}
	return wrong
}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	testName   = regexp.MustCompile(`(?:\b([a-z][a-z0-9]*)\.)?\b((?:Test|Fuzz|Benchmark)[A-Z]\w*)`)
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	exitTable  = regexp.MustCompile(`(?m)^\| exit code \|.*\n\|[-| ]*\|\n((?:\|.*\n)+)`)
	exitRow    = regexp.MustCompile(`(?m)^\| ([0-9]+)`)
	account    = regexp.MustCompile(`(?m)^accounts:`)
	metricName = regexp.MustCompile(`\bmailpull_\w+`)
)

// block is what stands between two fences, and line that of the first.
type block struct {
	language string
	lines    []string
	line     int
}

// takeBlocks parts a document into its fenced blocks and the rest, which
// keeps its lines.
func takeBlocks(text string) (blocks []block, prose string, err error) {
	var rest strings.Builder
	inside := false
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !inside:
			blocks = append(blocks, block{language: language, line: i + 1})
			inside = true
		case fence:
			inside = false
		case inside:
			b := &blocks[len(blocks)-1]
			b.lines = append(b.lines, line)
		default:
			rest.WriteString(line)
		}
		rest.WriteByte('\n')
	}
	if inside {
		err = fmt.Errorf("the block of line %d has no end", blocks[len(blocks)-1].line)
	}
	return blocks, rest.String(), err
}

func (d *docs) checkBlock(b block, at func(int) func(string, ...any)) {
	text := strings.Join(b.lines, "\n")
	switch b.language {
	case "text":
		return
	case "yaml":
		if account.MatchString(text) {
			d.looked["configuration"]++
			if _, err := config.Parse("README.md", []byte(text+"\n")); err != nil {
				at(b.line)("the configuration is not one: %v", err)
			}
		}
		return
	}
	for i, line := range b.lines {
		line, isCommand := strings.CutPrefix(line, "$ ")
		if b.language == "console" && !isCommand {
			continue // what a command wrote
		}
		d.checkShell(line, at(b.line+1+i))
	}
}

// checkShell looks at the commands of a shell's line, a crontab or a unit.
func (d *docs) checkShell(line string, wrong func(string, ...any)) {
	line, _, _ = strings.Cut(" "+line, " #")
	line = strings.NewReplacer(";", " ; ", "ExecStart=", "").Replace(line)
	var command []string
	for _, word := range append(strings.Fields(line), ";") {
		if !strings.ContainsAny(word, ";&|<>()") {
			command = append(command, word)
			continue
		}
		d.checkWords(unwrapped(command), wrong)
		command = nil
	}
}

// cronTime is how the lines of the documents' crontabs begin.
var cronTime = regexp.MustCompile(`^[*0-9][-*/,0-9]*$`)

// unwrapped takes from a command what stands before the program that is run.
func unwrapped(words []string) []string {
	for len(words) > 0 {
		word := words[0]
		switch {
		case word == "sudo", word == "timeout", word == "systemd-run", cronTime.MatchString(word):
		case strings.HasPrefix(word, "-"), strings.Contains(word, "="):
		default:
			return words
		}
		words = words[1:]
	}
	return nil
}

// checkWords looks at one command.
func (d *docs) checkWords(words []string, wrong func(string, ...any)) {
	switch {
	case len(words) == 0:
	case words[0] == "mailpull", strings.HasSuffix(words[0], "bin/mailpull"):
		d.checkCommand(words[1:], wrong)
	case words[0] == "make" && len(words) > 1:
		d.checkTarget(words[1], wrong)
	}
}

// checkInline looks at a piece of code in a sentence. Words with a bar
// between them are one of several.
func (d *docs) checkInline(code string, wrong func(string, ...any)) {
	switch {
	case strings.HasPrefix(code, "-") && strings.Trim(code, "-") != "":
		d.checkFlag(strings.Fields(code)[0], wrong)
	case slices.ContainsFunc(ours, func(p string) bool { return code == strings.TrimSuffix(p, "/") || strings.HasPrefix(code, p) }):
		d.checkPath(code, wrong)
	default:
		for _, words := range variants(strings.Fields(code)) {
			d.checkWords(unwrapped(words), wrong)
		}
	}
}

// ours are the folders whose paths are looked at.
var ours = []string{"pkg/", "cmd/", "docs/", "scripts/", "configs/", ".ci/"}

// variants writes "a b|c" as "a b" and "a c".
func variants(words []string) [][]string {
	lists := [][]string{nil}
	for _, word := range words {
		var longer [][]string
		for _, list := range lists {
			for _, choice := range strings.Split(word, "|") {
				longer = append(longer, append(slices.Clone(list), choice))
			}
		}
		lists = longer
	}
	return lists
}

// checkCommand walks down the tree of commands and looks at the flags on the
// way.
func (d *docs) checkCommand(args []string, wrong func(string, ...any)) {
	d.looked["command"]++
	cmd := d.command
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if strings.HasPrefix(arg, "-") {
			takesNext, err := lookUpFlag(cmd, arg)
			if err != nil {
				wrong("mailpull %s: %v", strings.Join(args, " "), err)
				return
			}
			if takesNext {
				i++
			}
			continue
		}
		if !cmd.HasSubCommands() {
			continue // an account or a file
		}
		next := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == arg })
		if next < 0 {
			wrong("mailpull %s: there is no command %q", strings.Join(args, " "), arg)
			return
		}
		cmd = cmd.Commands()[next]
	}
}

// checkFlag looks for a flag that stands alone, which any command may have.
func (d *docs) checkFlag(arg string, wrong func(string, ...any)) {
	d.looked["flag"]++
	commands := []*cobra.Command{d.command}
	for i := 0; i < len(commands); i++ {
		if _, err := lookUpFlag(commands[i], arg); err == nil {
			return
		}
		commands = append(commands, commands[i].Commands()...)
	}
	wrong("no command has the flag %s", arg)
}

// lookUpFlag reports whether the word behind a flag is its value.
func lookUpFlag(cmd *cobra.Command, arg string) (takesNext bool, err error) {
	cmd.InitDefaultHelpFlag()
	name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	_ = cmd.InheritedFlags() // merges them into Flags
	if strings.HasPrefix(arg, "--") {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			return false, fmt.Errorf("there is no flag --%s", name)
		}
		return !hasValue && f.NoOptDefVal == "", nil
	}
	for _, letter := range name {
		f := cmd.Flags().ShorthandLookup(string(letter))
		if f == nil {
			return false, fmt.Errorf("there is no flag -%c", letter)
		}
		takesNext = f.NoOptDefVal == ""
	}
	return takesNext, nil
}

func (d *docs) checkTarget(target string, wrong func(string, ...any)) {
	d.looked["target"]++
	if !slices.Contains(d.targets, target) {
		wrong("make has no target %s", target)
	}
}

func (d *docs) checkMetric(name string, wrong func(string, ...any)) {
	d.looked["metric"]++
	if !slices.Contains(d.metrics, name) {
		wrong("there is no metric %s", name)
	}
}

// checkPath looks for a file, a folder or a pattern of them. A part in capital
// letters stands for any name, and what is before it is looked for.
func (d *docs) checkPath(path string, wrong func(string, ...any)) {
	d.looked["path"]++
	parts := strings.Split(path, "/")
	if i := slices.IndexFunc(parts, func(s string) bool { return s != "" && s == strings.ToUpper(s) && s != "*" }); i > 0 {
		parts = parts[:i]
	}
	found, err := filepath.Glob(filepath.Join(d.root, filepath.Join(parts...)))
	if err != nil || len(found) == 0 {
		wrong("there is no %s", path)
	}
}

// checkTest looks for a test by its name, and where a package stands in front
// of it, in that package.
func (d *docs) checkTest(pkg, name string, wrong func(string, ...any)) {
	d.looked["test"]++
	switch packages := d.tests[name]; {
	case len(packages) == 0:
		wrong("there is no test %s", name)
	case pkg != "" && !slices.Contains(packages, pkg):
		wrong("package %s has no test %s, but %s", pkg, name, strings.Join(packages, ", "))
	}
}

// checkLink looks for the target of a link, and for the heading behind #.
func (d *docs) checkLink(name, text, target string, wrong func(string, ...any)) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return
	}
	d.looked["link"]++
	file, heading, _ := strings.Cut(target, "#")
	if file != "" {
		data, err := os.ReadFile(filepath.Join(d.root, filepath.Dir(name), file))
		if err != nil && !isFolder(filepath.Join(d.root, filepath.Dir(name), file)) {
			wrong("the link leads nowhere: %s", target)
			return
		}
		text = string(data)
	}
	if heading != "" && !slices.Contains(headings(text), heading) {
		wrong("there is no such heading: %s", target)
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// headings returns the names under which the headings of a document can be
// linked to.
func headings(text string) []string {
	var names []string
	_, prose, _ := takeBlocks(text) // a block without an end is told elsewhere
	odd := regexp.MustCompile(`[^a-z0-9 _-]`)
	for line := range strings.Lines(prose) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			name := odd.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// checkExitCodes compares each table of exit codes with all that there are.
func (d *docs) checkExitCodes(prose string, at func(int) func(string, ...any)) {
	all := []int{
		exitOK, exitUsage, exitUnavailable, exitSoftware, exitIO, exitTemporary, exitNoPerm, exitConfig, exitInterrupt, exitTerminate,
	}
	for _, m := range exitTable.FindAllStringSubmatchIndex(prose, -1) {
		var listed []int
		for _, row := range exitRow.FindAllStringSubmatch(group(prose, m, 1), -1) {
			d.looked["exit code"]++
			code, err := strconv.Atoi(row[1])
			if err != nil || slices.Contains(listed, code) {
				at(lineOf(prose, m[0]))("odd exit code %s", row[1])
			}
			listed = append(listed, code)
		}
		slices.Sort(listed)
		if !slices.Equal(listed, all) {
			at(lineOf(prose, m[0]))("the table has the exit codes %v, the program %v", listed, all)
		}
	}
}

// lineOf returns the number of the line in which an offset lies.
func lineOf(text string, offset int) int { return strings.Count(text[:offset], "\n") + 1 }

// group returns a part of a match, or the empty string.
func group(text string, match []int, n int) string {
	if match[2*n] < 0 {
		return ""
	}
	return text[match[2*n]:match[2*n+1]]
}
