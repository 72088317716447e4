package record

import (
	"io"

	"mailpull/pkg/durable"
)

// Append writes a group of lines behind the size bytes that are durable, with
// one write, and flushes it: the group is durable when Append returns nil.
//
// After an error the group is cut off again, as far as that works. The kernel
// marks pages that it could not write as clean: a later reader would take the
// group from memory, append behind it, and a power cut would leave a hole. For
// the same reason the caller never appends to the file again: the next flush
// would say yes.
func Append(file durable.File, size int64, group []byte) error {
	n, err := file.Write(group)
	if err == nil && n < len(group) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		_ = file.Truncate(size) // the first error is the one to tell
	}
	return err
}
