package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"slices"
)

// KeyLen is the length of a key's text.
const KeyLen = 24

// keyBytes is how much of the hash a key keeps: 120 bits, so that two refs of
// the largest archive share a key with a chance below 1 in 10^22.
const keyBytes = KeyLen * 5 / 8

// keyEncoding has one case only, for file systems that fold case.
var keyEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key names a message's file in the archive. It is derived from the ref, so a
// message that is fetched again is found under the same key.
type Key [keyBytes]byte

// NewKey returns the key of a ref in an account. The parts are hashed with
// their lengths, so that no two lists of parts give the same input.
func NewKey(account string, ref Ref) Key {
	// A mailbox of a million has its keys made several times over, so nothing is
	// allocated for names of usual length.
	var room [256]byte
	b := appendPart(room[:0], account)
	b = appendPart(b, string(ref.Mailbox))
	b = binary.BigEndian.AppendUint32(b, uint32(ref.Validity))
	b = binary.BigEndian.AppendUint32(b, uint32(ref.UID))
	b = appendPart(b, string(ref.UIDL))
	sum := sha256.Sum256(b)
	return Key(sum[:keyBytes])
}

func appendPart(b []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
}

// String returns the key as KeyLen lower-case letters and digits.
func (k Key) String() string { return keyEncoding.EncodeToString(k[:]) }

// ParseKey reads what String wrote; ok is false for anything else.
func ParseKey(s string) (k Key, ok bool) {
	if len(s) != KeyLen {
		return k, false
	}
	n, err := keyEncoding.Decode(k[:], []byte(s))
	return k, err == nil && n == keyBytes
}

// Compare orders keys by their bytes.
func (k Key) Compare(other Key) int { return bytes.Compare(k[:], other[:]) }

// KeySet is a sorted list of keys without duplicates: the smallest thing that
// can hold the keys of a mailbox of a million messages and answer at once.
type KeySet []Key

// NewKeySet sorts keys in place, drops duplicates and returns the set.
func NewKeySet(keys []Key) KeySet {
	slices.SortFunc(keys, Key.Compare)
	return slices.Compact(keys)
}

// Index returns the key's place in the set, if it is in it.
func (s KeySet) Index(k Key) (place int, ok bool) {
	return slices.BinarySearchFunc(s, k, Key.Compare)
}

// Contains reports whether the key is in the set.
func (s KeySet) Contains(k Key) bool {
	_, found := s.Index(k)
	return found
}

// Part returns in which of a number of about equal parts of all keys the key
// is, counted from 0 in the order of the keys. There are 65,536 parts at most.
func (k Key) Part(parts int) int {
	return int(binary.BigEndian.Uint16(k[:])) * parts >> 16
}
