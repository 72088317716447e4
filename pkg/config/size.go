package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// sizeUnits are what may stand behind a number of bytes: thousands, and powers
// of two (IEC 80000-13). A larger one stands before a smaller one, and of two
// that are nearly as large the power of two does.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12},
	{"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6},
	{"KiB", 1 << 10}, {"kB", 1e3},
}

// messageSize reads the size of the largest message.
func messageSize(dst *int64) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		size, ok := parseSize(value)
		switch {
		case !ok:
			w.mistake(at, n, "%s is not a size; write for example 50MB or 2GiB", quote(value))
		case size < minMessageSize:
			w.mistake(at, n, "%s is too small; write %s or more", quote(value), shortSize(minMessageSize))
		case size > maxMessageSize:
			w.mistake(at, n, "%s is too large; write %s or less", quote(value), shortSize(maxMessageSize))
		default:
			*dst = size
		}
	}
}

// rateLimit reads bytes per second. Below a kilobyte no pass would come to an end.
func rateLimit(dst *int64) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		number, perSecond := strings.CutSuffix(value, "/s")
		size, ok := parseSize(number)
		if !perSecond || !ok || size < 1000 {
			w.mistake(at, n, "%s is not a rate; write for example 500kB/s or 2MB/s", quote(value))
			return
		}
		*dst = size
	}
}

// ParseSize reads a size as a file has it, such as 50MB or 2GiB, for a flag of the
// command line.
func ParseSize(text string) (int64, error) {
	size, ok := parseSize(text)
	if !ok || size <= 0 {
		return 0, fmt.Errorf("%s is not a size; write for example 50MB or 2GiB", quote(text))
	}
	return size, nil
}

// parseSize reads a whole number and a unit. A number alone is no size: of
// what, two readers would disagree.
func parseSize(value string) (int64, bool) {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(value, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 62)
		if err != nil {
			return 0, false
		}
		if int64(n) > math.MaxInt64/unit.bytes {
			return math.MaxInt64, true // too large, whatever is asked for
		}
		return int64(n) * unit.bytes, true
	}
	return 0, false
}

// shortSize writes a size that parseSize gave: 2GiB and not 2147483648.
func shortSize(size int64) string {
	for _, unit := range sizeUnits {
		if size%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", size/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", size)
}
