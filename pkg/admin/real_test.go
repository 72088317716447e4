package admin_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// view is one way to look at the page.
type view struct {
	name          string
	width, height int
	dark          bool
	golden        string // the picture of the documentation
}

// A real Chromium shows the page at both widths, in the light and in the dark,
// complains of nothing, and needs no more than the width of a phone. With
// -update the pictures of the documentation are made anew.
func TestRealPage(t *testing.T) {
	if os.Getenv("MAILPULL_REAL") != "1" {
		t.Skip("make real shows the page to a real browser")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: scripts/install-real.sh installs it", err)
	}
	url := "http://" + start(t, nil).Addr() + "/"
	for _, v := range []view{
		{"wide", 1280, 900, false, "../../docs/status-page.png"},
		{"wide dark", 1280, 900, true, ""},
		{"phone", 390, 1500, false, ""},
		{"phone dark", 390, 1500, true, "../../docs/status-page-phone.png"},
	} {
		t.Run(v.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "page.png")
			said := v.run(t, browser, url, "--screenshot="+file)
			for _, bad := range []string{"CONSOLE", "Refused to", "Content Security Policy"} {
				if strings.Contains(said, bad) {
					t.Errorf("the browser complains:\n%s", said)
				}
			}
			picture, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			mustShowSomething(t, picture, v)
			if *update && v.golden != "" {
				if err := os.WriteFile(v.golden, picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if keep := os.Getenv("MAILPULL_PICTURES"); keep != "" {
				if err := os.WriteFile(filepath.Join(keep, strings.ReplaceAll(v.name, " ", "-")+".png"), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if width := v.measure(t, browser, url); width > v.width {
				t.Errorf("the page is %d wide on a screen of %d", width, v.width)
			}
		})
	}
	dom := view{width: 1280, height: 900}.run(t, browser, url, "--dump-dom")
	for _, want := range []string{"sign-in refused", "12,345 of 88,600 messages", "41 min left", "6 accounts, 1 needs you"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the browser does not show %q", want)
		}
	}
}

// run calls the browser, and returns what it wrote.
func (v view) run(t *testing.T, browser, url string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := append(v.flags(t), args...)
	cmd := exec.CommandContext(ctx, browser, append(all, url)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func (v view) flags(t *testing.T) []string {
	t.Helper()
	flags := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage",
		"--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=2000",
		fmt.Sprintf("--window-size=%d,%d", v.width, v.height),
	}
	if v.dark {
		flags = append(flags, "--blink-settings=preferredColorScheme=0")
	} else {
		flags = append(flags, "--blink-settings=preferredColorScheme=1")
	}
	return flags
}

// mustShowSomething wants a picture of the right width that is not of one
// colour, dark where it is to be dark.
func mustShowSomething(t *testing.T, picture []byte, v view) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := img.Bounds()
	if bounds.Dx() != v.width {
		t.Errorf("the picture is %d wide, want %d", bounds.Dx(), v.width)
	}
	colours := make(map[[3]uint32]int)
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 3 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	if len(colours) < 20 {
		t.Errorf("the picture has %d colours", len(colours))
	}
	most, ground := 0, [3]uint32{}
	for c, n := range colours {
		if n > most {
			most, ground = n, c
		}
	}
	if dark := ground[0] < 128; dark != v.dark {
		t.Errorf("the ground is %v, dark is %t", ground, v.dark)
	}
}

// measure lays the page out in the browser and returns how wide it is. A script
// says so, which the real page would not let run: a copy of it is shown.
func (v view) measure(t *testing.T, browser, url string) int {
	t.Helper()
	_, _, html := get(t, "GET", url)
	_, _, css := get(t, "GET", url+"style.css")
	html = strings.Replace(html, `<link rel="stylesheet" href="/style.css">`, "<style>"+css+"</style>", 1)
	html += `<script>parent.document.title = "width=" + document.documentElement.scrollWidth + ";"</script>`
	// A window cannot be as narrow as a phone, and a frame in it can.
	frame := fmt.Sprintf(`<!doctype html><title></title><iframe src="/page" width="%d" height="%d" style="border: 0"></iframe>`, v.width, v.height)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			_, _ = w.Write([]byte(html)) // the browser fails if it does not come
			return
		}
		_, _ = w.Write([]byte(frame))
	}))
	defer server.Close()
	dom := v.run(t, browser, server.URL, "--dump-dom")
	_, after, _ := strings.Cut(dom, "<title>width=")
	width, err := strconv.Atoi(strings.SplitN(after, ";", 2)[0])
	if err != nil {
		t.Fatalf("the browser does not say how wide the page is:\n%s", dom)
	}
	return width
}
