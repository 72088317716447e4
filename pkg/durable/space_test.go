package durable_test

import (
	"errors"
	"io/fs"
	"testing"

	"mailpull/pkg/durable"
)

func TestFreeSpace(t *testing.T) {
	t.Parallel()
	s, err := durable.FreeSpace(t.TempDir())
	if err != nil || s.TotalBytes == 0 || s.FreeBytes > s.TotalBytes || s.FreeInodes > s.TotalInodes {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := durable.FreeSpace(t.TempDir() + "/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}
