package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/mail"
)

// Many processes that begin at once agree on one marker.
func TestMarkerIsMadeOnce(t *testing.T) {
	t.Parallel()
	c := &config.Config{Archive: filepath.Join(t.TempDir(), "mail"), State: filepath.Join(t.TempDir(), "state")}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := checkMarker(c); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	archive, state := read(t, filepath.Join(c.Archive, markerName)), read(t, filepath.Join(c.State, rememberedName))
	if archive != state || !strings.HasPrefix(archive, "mailpull archive ") {
		t.Errorf("the archive is marked with %q, and %q is remembered", archive, state)
	}
	if err := checkMarker(c); err != nil {
		t.Error(err)
	}
}

// A second state folder takes the marker that an archive has.
func TestMarkerIsKept(t *testing.T) {
	t.Parallel()
	c := &config.Config{Archive: t.TempDir(), State: t.TempDir()}
	if err := checkMarker(c); err != nil {
		t.Fatal(err)
	}
	before := read(t, filepath.Join(c.Archive, markerName))
	c.State = t.TempDir()
	if err := checkMarker(c); err != nil || read(t, filepath.Join(c.Archive, markerName)) != before {
		t.Errorf("the marker was changed, %v", err)
	}
}

func TestWrongMarkers(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"another": "mailpull archive other\n", "empty": "", "garbage": strings.Repeat("x", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &config.Config{Archive: t.TempDir(), State: t.TempDir()}
			if err := checkMarker(c); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.Archive, markerName), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := checkMarker(c); mail.ErrorClass(err) != mail.ClassDisk || !strings.Contains(err.Error(), c.Archive) {
				t.Errorf("got %v, want an error of the disk that names the archive", err)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
