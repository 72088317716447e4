package wire

import "strings"

// SaysThrottled reports whether a server's words ask to be left alone for a
// while: too much was asked of it. The words are those of large providers.
func SaysThrottled(text string) bool {
	return says(text,
		"throttl", "rate limit", "too many", "bandwidth", "maximum number", "limited to", "exceeded", "but not connected")
}

// isPassing reports whether the words of a refusal say that it will pass by
// itself. Servers that send no response code say it in these words only
// (Gmail, Exchange, Yahoo, Dovecot; 2026). A bare "try again" is not among
// them: that is what some say of a wrong password.
func isPassing(text string) bool {
	return SaysThrottled(text) || says(text,
		"again later", "try later", "try again in", "temporar", "unavailable", "not available", "busy",
		"internal error", "internal server error", "server error", "system error", "system problem",
		"overload", "maintenance", "locked", "in use", "not connected", "timed out")
}

// says reports whether a text holds one of the words, in any case.
func says(text string, words ...string) bool {
	text = strings.ToLower(text)
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
