package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house is the picture of docs/architecture.md: what each package may import
// of the others. Imports go down, never up, never sideways between the middle
// bands.
var house = map[string][]string{
	"cmd/mailpull": {"configs", "pkg/archive/maildir", "pkg/checkpoint", "pkg/config", "pkg/control", "pkg/daemon", "pkg/demo", "pkg/display", "pkg/durable", "pkg/mail", "pkg/metrics", "pkg/pull", "pkg/secret", "pkg/systemd"},
	"configs":      {},

	"pkg/daemon": {"pkg/config", "pkg/pull", "pkg/schedule", "pkg/admin", "pkg/control", "pkg/hook", "pkg/systemd", "pkg/source/imap", "pkg/source/pop3", "pkg/archive/maildir", "pkg/checkpoint", "pkg/manifest", "pkg/durable", "pkg/wire", "pkg/signin", "pkg/mail", "pkg/metrics", "pkg/secret"},

	"pkg/config":   {"pkg/mail", "pkg/secret"},
	"pkg/schedule": {"pkg/mail"},
	"pkg/pull":     {"pkg/mail"},
	"pkg/admin":    {"pkg/display", "pkg/mail"},
	"pkg/control":  {"pkg/mail"},
	"pkg/hook":     {"pkg/command", "pkg/mail", "pkg/secret"},
	"pkg/systemd":  {},
	"pkg/demo":     {"pkg/mail"},

	"pkg/source/imap":     {"pkg/wire", "pkg/signin", "pkg/mail", "pkg/secret"},
	"pkg/source/pop3":     {"pkg/wire", "pkg/signin", "pkg/mail", "pkg/secret"},
	"pkg/archive/maildir": {"pkg/durable", "pkg/mail"},
	"pkg/checkpoint":      {"pkg/record", "pkg/durable", "pkg/mail"},
	"pkg/manifest":        {"pkg/record", "pkg/durable", "pkg/mail"},

	"pkg/wire":    {"pkg/signin", "pkg/mail", "pkg/secret"},
	"pkg/signin":  {"pkg/mail", "pkg/secret"},
	"pkg/record":  {"pkg/durable", "pkg/mail"},
	"pkg/durable": {},

	"pkg/display": {},
	"pkg/mail":    {},
	"pkg/command": {},
	"pkg/secret":  {"pkg/command"},
	"pkg/metrics": {"pkg/mail"},

	// Only tests import mailtest, so it may know everybody.
	"pkg/mailtest": nil,
	"pkg/faults":   {}, // nothing but tests
	"pkg/bench":    {"pkg/display"},
}

// foreign names the packages that alone may import a library.
var foreign = map[string][]string{
	"github.com/emersion/go-imap/v2": {"pkg/source/imap", "pkg/demo"},
	"github.com/knadh/go-pop3":       {"pkg/source/pop3", "pkg/wire"},
	"github.com/emersion/go-maildir": {"pkg/archive/maildir"},
	"gopkg.in/yaml.v3":               {"pkg/config"},
	"github.com/spf13/cobra":         {"cmd/mailpull"},
	"github.com/prometheus":          {"pkg/metrics", "pkg/admin", "pkg/daemon"},
	"github.com/adhocore/gronx":      {"pkg/schedule", "pkg/config"},
	"github.com/coreos/go-systemd":   {"pkg/systemd"},
}

func TestHouse(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for pkg, imports := range productImports(t) {
		seen[pkg] = true
		allowed, ok := house[pkg]
		if !ok {
			t.Errorf("%s is not in the picture", pkg)
		}
		for _, imported := range imports {
			checkImport(t, pkg, imported, allowed)
		}
	}
	for pkg := range house {
		if !seen[pkg] {
			t.Errorf("%s is in the picture and not in the tree", pkg)
		}
	}
}

func checkImport(t *testing.T, pkg, imported string, allowed []string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(imported, "mailpull/"); ok {
		if pkg != "pkg/mailtest" && !slices.Contains(allowed, ours) {
			t.Errorf("%s imports %s, which the picture does not allow", pkg, ours)
		}
		return
	}
	for library, users := range foreign {
		if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(users, pkg) && pkg != "pkg/mailtest" {
			t.Errorf("%s imports %s; only %s may", pkg, imported, strings.Join(users, ", "))
		}
	}
}

// productImports returns what the files of each package import, tests left
// out.
func productImports(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	imports := make(map[string][]string)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Clean(filepath.ToSlash(rel))
		imports[pkg] = append(imports[pkg], quotedImports(t, file.Imports)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func quotedImports(t *testing.T, specs []*ast.ImportSpec) []string {
	t.Helper()
	var paths []string
	for _, spec := range specs {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}
