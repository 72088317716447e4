package mailtest

import (
	"bytes"
	"slices"
	"testing"
)

func TestCorpusIsTheSameForEqualSeeds(t *testing.T) {
	t.Parallel()
	a, b, c := Corpus(1, 20), Corpus(1, 20), Corpus(2, 20)
	same := 0
	for i := range a {
		if !bytes.Equal(a[i].Body, b[i].Body) || !a[i].Date.Equal(b[i].Date) {
			t.Errorf("message %d differs for equal seeds", i)
		}
		if bytes.Equal(a[i].Body, c[i].Body) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d messages are the same for different seeds", same)
	}
}

func TestCorpusHasTheSizesOfMail(t *testing.T) {
	t.Parallel()
	const n = 2_000
	var sizes []int
	total, attached := 0, 0
	for _, m := range Corpus(7, n) {
		sizes = append(sizes, len(m.Body))
		total += len(m.Body)
		if bytes.Contains(m.Body, []byte("Content-Disposition: attachment")) {
			attached++
		}
		if !bytes.Equal(CRLF(m.Body), m.Body) || bytes.Count(m.Body, []byte("\r")) != bytes.Count(m.Body, []byte("\r\n")) {
			t.Fatal("a message has a line end that is not CRLF")
		}
	}
	slices.Sort(sizes)
	if median := sizes[n/2]; median < 7_000 || median > 9_500 {
		t.Errorf("median size: got %d, want about 8,000", median)
	}
	if mean := total / n; mean < 20_000 || mean > 32_000 {
		t.Errorf("mean size: got %d, want about 26,000", mean)
	}
	if largest := sizes[n-1]; largest > maxSize {
		t.Errorf("largest: got %d, want at most %d", largest, maxSize)
	}
	if attached < n/5 || attached > n*3/4 {
		t.Errorf("%d of %d messages carry an attachment", attached, n)
	}
}

func TestCRLFAddsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":            "",
		"\n":          "\r\n",
		"a\nb\r\nc\n": "a\r\nb\r\nc\r\n",
		"a\rb\n\n":    "a\rb\r\n\r\n",
		"a\r\r\n":     "a\r\r\n",
	} {
		if got := string(CRLF([]byte(file))); got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}
