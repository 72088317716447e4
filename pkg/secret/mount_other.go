//go:build !linux

package secret

import "os"

// onReadOnlyMount is always false here: what cannot be asked is refused.
func onReadOnlyMount(*os.File) bool { return false }
