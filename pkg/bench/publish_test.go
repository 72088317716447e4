package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/display"
)

func sizeOf(messages []demo.Message) string {
	var n int64
	for _, m := range messages {
		n += int64(len(m.Body))
	}
	return display.Size(n)
}

// publish writes the table and the plot into the folder of the documents, when
// everything was measured and the folder is named.
func (r *rig) publish(report Report) {
	docs := os.Getenv("MAILPULL_BENCH_DOCS")
	if docs == "" || !r.whole() {
		return
	}
	page := filepath.Join(docs, "benchmarks.md")
	text, err := os.ReadFile(page)
	if err != nil {
		r.b.Fatal(err)
	}
	const plot = "![What was measured, as a share of what is allowed](benchmarks.svg)\n\n"
	renewed, err := Between(string(text), plot+report.Markdown())
	if err != nil {
		r.b.Fatal(err)
	}
	for path, text := range map[string]string{page: renewed, filepath.Join(docs, "benchmarks.svg"): report.Plot()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			r.b.Fatal(err)
		}
	}
}

// machine says where and when the figures were measured.
func (r *rig) machine() []string {
	var memory int64 // KiB
	if _, err := fmt.Sscanf(kernelSays(r.b, "/proc/meminfo"), "MemTotal: %d kB", &memory); err != nil {
		r.b.Fatal(err)
	}
	return []string{
		fmt.Sprintf("%s, commit %s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), os.Getenv("MAILPULL_COMMIT")),
		fmt.Sprintf("%d × %s, %s of memory", runtime.NumCPU(), processor(r.b), display.Size(memory<<10)),
		fmt.Sprintf("Linux %s, %s, %s", strings.TrimSpace(kernelSays(r.b, "/proc/sys/kernel/osrelease")), fileSystem(r.b, r.dir), runtime.Version()),
		strings.Join(versions(), ", "),
	}
}

// kernelSays reads one of the kernel's files.
func kernelSays(b *testing.B, path string) string {
	b.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// processor is the model as the kernel calls it.
func processor(b *testing.B) string {
	_, after, _ := strings.Cut(kernelSays(b, "/proc/cpuinfo"), "model name")
	line, _, _ := strings.Cut(after, "\n")
	if model := strings.Trim(line, " \t:"); model != "" {
		return model
	}
	return runtime.GOARCH
}

// fileSystem is the type of the one that a folder is on: that of the longest
// mount point above it.
func fileSystem(b *testing.B, dir string) string {
	longest, kind := "", "an unknown file system"
	for line := range strings.Lines(kernelSays(b, "/proc/self/mounts")) {
		f := strings.Fields(line) // device, mount point, type, options
		if len(f) < 3 || len(f[1]) < len(longest) {
			continue
		}
		if rel, err := filepath.Rel(f[1], dir); err == nil && !strings.HasPrefix(rel, "..") {
			longest, kind = f[1], f[2]
		}
	}
	return kind
}
