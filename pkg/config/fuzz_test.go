package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mailpull/configs"
)

func FuzzParse(f *testing.F) {
	f.Add(configs.Example)
	f.Add([]byte(good))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? |\n : !!binary \"\n"))
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err == nil {
			checkConfig(t, c)
			return
		}
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("got %v, want Errors", err)
		}
		for _, e := range errs {
			if e.File != "fuzz.yaml" || e.Text == "" {
				t.Errorf("got %#v", e)
			}
		}
	})
}

// checkConfig wants what everybody relies on.
func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	if !filepath.IsAbs(c.Archive) || !filepath.IsAbs(c.State) || len(c.Accounts) == 0 {
		t.Errorf("got %+v", c)
	}
	for _, a := range c.Accounts {
		if !nameSyntax.MatchString(a.Name) || a.Host == "" || a.Username == "" || a.Port < 1 || a.Port > 65535 ||
			a.Password.Kind() == "" || a.Connections < 1 || a.Every < minEvery || a.Layout == "" ||
			a.Security == None && !a.AllowPlaintext && !isLoopback(a.Host) {
			t.Errorf("got %+v", a)
		}
	}
	printed(t, c)
}
