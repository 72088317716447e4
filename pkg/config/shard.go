package config

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Shard is one part of a fleet: number Index, counted from 0, of Count. The zero
// value is a fleet of one.
type Shard struct{ Index, Count int }

// errShard is what a text that is no shard gets.
var errShard = errors.New(`is no part of a fleet; write for example 0/3, the first of three`)

// ParseShard reads 0/3.
func ParseShard(text string) (Shard, error) {
	index, count, ok := strings.Cut(text, "/")
	i, err := strconv.Atoi(index)
	n, err2 := strconv.Atoi(count)
	if !ok || err != nil || err2 != nil || n < 1 || i < 0 || i >= n {
		return Shard{}, fmt.Errorf("%s %w", quote(text), errShard)
	}
	return Shard{i, n}, nil
}

// Owns reports whether the account belongs to this part. Every account belongs to
// exactly one part, and when the number of parts grows from n to n+1 only those
// move that move to the new one: each account goes where its name and the part's
// number together hash highest (rendezvous hashing).
func (s Shard) Owns(account string) bool {
	best, highest := 0, uint64(0)
	for i := range max(1, s.Count) {
		if h := weight(account, i); i == 0 || h > highest {
			best, highest = i, h
		}
	}
	return best == s.Index
}

// weight hashes a name with the number of a part.
func weight(account string, part int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", part, account)
	// FNV hardly mixes its last bytes into the upper bits; this does (the
	// finisher of MurmurHash3).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// String writes 0/3, and nothing for a fleet of one.
func (s Shard) String() string {
	if s.Count <= 1 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Part returns the configuration with the accounts of one part only. It can have
// none.
func (c *Config) Part(s Shard) *Config {
	if s.Count <= 1 {
		return c
	}
	part := *c
	part.Shard, part.Accounts = s, nil
	for _, a := range c.Accounts {
		if s.Owns(a.Name) {
			part.Accounts = append(part.Accounts, a)
		}
	}
	return &part
}
