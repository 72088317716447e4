package checkpoint

import (
	"bufio"

	"mailpull/pkg/durable"
)

// The file is folded when what was appended is more than foldRatio times the
// folded part and more than foldMin bytes: so the work of folding stays a
// fixed share of the work of appending.
const (
	foldRatio = 4
	foldMin   = 64 << 10
)

// foldIfDue folds the file when that is worth it. When the new file cannot be
// written, on a full disk for instance, the old one is good for another pass.
func (f *File) foldIfDue() error {
	appended := f.size - f.folded
	if appended <= foldMin || appended <= foldRatio*f.folded {
		return nil
	}
	size, err := f.writeTemp()
	if err != nil {
		f.log.Warn("checkpoint not folded", "path", f.path(), "err", err)
		return nil
	}
	return f.adoptTemp(size)
}

// fold writes the state to a new file and gives it the checkpoint's name.
func (f *File) fold() error {
	size, err := f.writeTemp()
	if err != nil {
		return err
	}
	return f.adoptTemp(size)
}

// writeTemp writes the state to the temporary file and flushes it.
func (f *File) writeTemp() (size int64, err error) {
	file, err := f.dir.Create(tempName)
	if err != nil {
		return 0, err
	}
	size, err = f.writeState(file)
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = f.dir.Remove(tempName) // the next Open removes it otherwise
	}
	return size, err
}

// adoptTemp gives the temporary file the checkpoint's name and goes on with
// it. After an error nobody knows which of the two files has the name.
func (f *File) adoptTemp(size int64) error {
	if err := f.dir.Replace(tempName, fileName); err != nil {
		return err
	}
	// A name that is not on disk can be taken back, with all that would be
	// appended under it.
	if err := f.dir.Sync(); err != nil {
		return err
	}
	file, err := f.dir.Append(fileName)
	if err != nil {
		return err
	}
	if f.file != nil {
		_ = f.file.Close() // it has no name any more
	}
	f.file, f.size, f.folded = file, size, size
	return nil
}

// writeState writes the header and the state as one group.
func (f *File) writeState(file durable.File) (size int64, err error) {
	out := bufio.NewWriterSize(file, 64<<10)
	text := headerLine(nil, f.head)
	for r := range f.state.records() {
		size += int64(len(text))
		if _, err := out.Write(text); err != nil {
			return 0, err
		}
		text = line(text[:0], r)
	}
	text = commitLine(text, f.seq)
	size += int64(len(text))
	if _, err := out.Write(text); err != nil {
		return 0, err
	}
	return size, out.Flush()
}
