package config

import (
	"fmt"
	"strings"
)

// didYouMean returns `; did you mean "password"?` for the candidate that word
// is most likely a misspelling of, or the empty string.
func didYouMean(word string, candidates []string) string {
	if c := nearest(word, candidates); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	return ""
}

// nearest returns the candidate that word is most likely meant to be: one
// that differs in case or in a few letters, or else one that begins with word,
// such as username for user. It returns the empty string when none is near.
func nearest(word string, candidates []string) string {
	const longest = 40 // nothing that is named here is longer
	if word == "" || len(word) > longest {
		return ""
	}
	word = folded(word)
	best, least := "", 3
	for _, c := range candidates {
		d := distance(word, folded(c))
		if d < least && d*3 <= max(len(word), len(c)) {
			best, least = c, d
		}
	}
	if best != "" || len(word) < 3 {
		return best
	}
	for _, c := range candidates {
		if strings.HasPrefix(folded(c), word) {
			return c
		}
	}
	return ""
}

// folded makes equal what people confuse.
func folded(word string) string {
	return strings.ReplaceAll(strings.ToLower(word), "-", "_")
}

// distance counts the letters to insert, drop, replace or swap with the next
// one to make b out of a (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
