package maildir

import (
	"errors"
	"io/fs"
	"strings"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// rekeyAll gives messages of the archive other keys, on rung 4: their bytes
// are durable, and only their names change. What it changed is added to
// touched.
func (b *batch) rekeyAll(touched map[*folder][]durable.Dir) error {
	byBox := make(map[*Box]map[mail.Key]mail.Key)
	for _, r := range b.rekeys {
		if byBox[r.box] == nil {
			byBox[r.box] = make(map[mail.Key]mail.Key)
		}
		byBox[r.box][r.from] = r.to
	}
	for box, keys := range byBox {
		d, err := b.open(box.folder)
		if err == nil {
			err = rekeyFolder(d, keys, func(dir durable.Dir) {
				touched[box.folder] = appendNew(touched[box.folder], dir)
			})
		}
		if err != nil {
			return b.store.diskError("rekey", box.name, err)
		}
	}
	return nil
}

// rekeyFolder renames the files of a folder that have one of the keys, and
// calls changed with the directory of each. It looks again while mail readers
// rename them between our finding and our renaming; a file that is gone then
// was taken away.
func rekeyFolder(d *dirs, keys map[mail.Key]mail.Key, changed func(durable.Dir)) error {
	for range openTries {
		found, err := findKeys(d, keys)
		if err != nil {
			return err
		}
		missed := false
		for _, f := range found {
			err := f.dir.Rename(f.name, f.dir, f.renamed(keys[f.key]))
			switch {
			case err == nil:
				changed(f.dir)
			case errors.Is(err, fs.ErrNotExist):
				missed = true
			default:
				return err
			}
		}
		if !missed {
			return nil
		}
	}
	return nil
}

// place is where a message of the archive was found.
type place struct {
	dir  durable.Dir
	name string
	key  mail.Key
}

// renamed is the message's name with another key and all else as it is.
func (p place) renamed(key mail.Key) string {
	return strings.Replace(p.name, p.key.String(), key.String(), 1)
}

// findKeys returns where the messages with the keys are. One that a reader
// moves meanwhile can be in it twice.
func findKeys[V any](d *dirs, keys map[mail.Key]V) (found []place, err error) {
	err = eachMessage(d, func(dir durable.Dir, name string, key mail.Key) error {
		if _, ok := keys[key]; ok {
			found = append(found, place{dir, name, key})
		}
		return nil
	})
	return found, err
}
