package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	const system = "/etc/mailpull/config.yaml"
	if _, err := os.Stat(system); err == nil {
		t.Skip("this machine has a configuration")
	}
	home := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	for _, dir := range []string{at(".config", "mailpull"), at("xdg", "mailpull")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.yaml"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inHome, inXDG := at(".config", "mailpull", "config.yaml"), at("xdg", "mailpull", "config.yaml")
	missing := at("none", "mailpull", "config.yaml")
	for _, tc := range []struct {
		name, flag string
		env        map[string]string
		want       string
		tried      []string
	}{
		{"flag", "f.yaml", map[string]string{"MAILPULL_CONFIG": "e.yaml", "HOME": home}, "f.yaml", []string{"f.yaml"}},
		{"variable", "", map[string]string{"MAILPULL_CONFIG": "e.yaml", "HOME": home}, "e.yaml", []string{"e.yaml"}},
		{"XDG", "", map[string]string{"XDG_CONFIG_HOME": at("xdg"), "HOME": home}, inXDG, []string{inXDG, system}},
		{"home", "", map[string]string{"HOME": home}, inHome, []string{inHome, system}},
		{"relative XDG", "", map[string]string{"XDG_CONFIG_HOME": "xdg", "HOME": home}, inHome, []string{inHome, system}},
		{"XDG without a file", "", map[string]string{"XDG_CONFIG_HOME": at("none"), "HOME": home}, "", []string{missing, system}},
		{"XDG below a file", "", map[string]string{"XDG_CONFIG_HOME": inHome}, "", []string{inHome + "/mailpull/config.yaml", system}},
		{"nothing set", "", nil, "", []string{system}},
	} {
		got, tried, err := Find(tc.flag, func(name string) string { return tc.env[name] })
		if err != nil || got != tc.want || !reflect.DeepEqual(tried, tc.tried) {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", tc.name, got, tried, err, tc.want, tc.tried)
		}
	}
}

// What cannot be looked at may be the right file.
func TestFindStopsAtWhatItCannotSee(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	loop := filepath.Join(dir, "mailpull")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	got, _, err := Find("", func(name string) string {
		return map[string]string{"XDG_CONFIG_HOME": dir}[name]
	})
	if got != "" || err == nil || !strings.Contains(err.Error(), loop) {
		t.Errorf("got %q, %v", got, err)
	}
}
