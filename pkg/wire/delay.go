package wire

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// maxDelay bounds what a server may ask for: nothing of it is signed, and one
// that says a year would otherwise end an account.
const maxDelay = 24 * time.Hour

// SaidDelay returns for how long a server's words ask to be left alone, at most
// 24 hours, or 0 where they do not say. A number counts with its unit only, and
// only behind words that say what it is: these are Exchange's "Suggested
// Backoff Time: 201317 milliseconds" (imapsync/imapsync#272), the "try again in
// 5 minutes" of many, and the "once every 15 minutes" of POP3 servers that
// limit sign-ins without RFC 2449's code.
func SaidDelay(text string) time.Duration {
	text = strings.ToLower(text)
	for _, words := range []string{"backoff time", "again in", "once every"} {
		if _, rest, ok := strings.Cut(text, words); ok {
			return parseDelay(strings.TrimLeft(rest, ": "))
		}
	}
	return 0
}

// parseDelay reads a number and its unit at the beginning of a text in lower
// case.
func parseDelay(text string) time.Duration {
	unit := strings.TrimLeft(text, "0123456789")
	digits := text[:len(text)-len(unit)]
	unit = strings.TrimLeft(unit, " ")
	if end := strings.IndexFunc(unit, func(r rune) bool { return r < 'a' || r > 'z' }); end >= 0 {
		unit = unit[:end]
	}
	return delayOf(digits, delayUnit(unit))
}

// delayUnit returns what a word stands for, or 0.
func delayUnit(word string) time.Duration {
	switch word {
	case "ms", "msec", "millisecond", "milliseconds":
		return time.Millisecond
	case "s", "sec", "secs", "second", "seconds":
		return time.Second
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute
	case "h", "hour", "hours":
		return time.Hour
	}
	return 0
}

// delayOf multiplies within the bound. What is no number is 0, and one that is
// too large to be counted is the bound.
func delayOf(digits string, unit time.Duration) time.Duration {
	n, err := strconv.ParseUint(digits, 10, 63)
	switch {
	case unit == 0 || errors.Is(err, strconv.ErrSyntax):
		return 0
	case err != nil || n > uint64(maxDelay/unit):
		return maxDelay
	}
	return time.Duration(n) * unit
}
