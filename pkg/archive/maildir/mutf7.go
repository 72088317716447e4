package maildir

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// modifiedBase64 is RFC 3501 section 5.1.3: "," instead of "/", no padding.
// Strict, so that each text has one encoding only.
var modifiedBase64 = base64.NewEncoding(
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// appendShifted appends a run of characters beyond ASCII in modified UTF-7.
func appendShifted(dst []byte, run []rune) []byte {
	if len(run) == 0 {
		return dst
	}
	var raw []byte
	for _, unit := range utf16.Encode(run) {
		raw = binary.BigEndian.AppendUint16(raw, unit)
	}
	dst = append(dst, '&')
	dst = modifiedBase64.AppendEncode(dst, raw)
	return append(dst, '-')
}

// decodeShifted reads what stands between "&" and "-"; ok is false for
// anything that appendShifted does not write.
func decodeShifted(text string) (decoded []byte, ok bool) {
	raw, err := modifiedBase64.DecodeString(text)
	if err != nil || len(raw) == 0 || len(raw)%2 != 0 {
		return nil, false
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		units = append(units, binary.BigEndian.Uint16(raw[i:]))
	}
	run := utf16.Decode(units)
	if string(appendShifted(nil, run)) != "&"+text+"-" {
		return nil, false // a lone surrogate
	}
	for _, r := range run {
		if r < utf8.RuneSelf {
			return nil, false
		}
		decoded = utf8.AppendRune(decoded, r)
	}
	return decoded, true
}
