package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
)

// judge has the oracle look at an account, while no worker writes. The records
// are read from a copy: opening them mends a torn tail, and that is the next
// worker's to do.
func (g *l3Group) judge(a *l3Account, complete bool) ([]mailtest.Breach, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g.soak.tally.judged.Add(1)
	copied := filepath.Join(g.soak.dir, "copy-"+a.name)
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(g.state, a.name))); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it never began
	} else if err != nil {
		return nil, err
	}
	breaches, err := l3Judge(a, copied, filepath.Join(g.archive, a.name), complete)
	if err != nil || len(breaches) > 0 {
		return breaches, err // the copy is evidence
	}
	return nil, os.RemoveAll(copied)
}

func l3Judge(a *l3Account, state, archive string, complete bool) ([]mailtest.Breach, error) {
	dir, err := durable.OpenDir(state)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // it is a copy
	c, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: a.name, Source: string(a.host.protocol)})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	m, err := manifest.Open(manifest.Options{Dir: dir, Account: a.name})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	records := mailtest.Records{Delivered: delivered(c), Listed: make(map[mail.Key]mail.Delivery)}
	err = m.Scan(func(d mail.Delivery) error {
		records.Listed[d.Key] = d
		return nil
	})
	if err != nil {
		return nil, err
	}
	maildir, err := durable.OpenDir(archive)
	if errors.Is(err, fs.ErrNotExist) && c.Delivered() == 0 {
		return nil, nil // the first pass got no further than the records
	}
	if err != nil {
		return nil, err
	}
	defer maildir.Close() // it was only read
	if complete {
		return a.oracle.JudgeComplete(maildir, records), nil
	}
	return a.oracle.Judge(maildir, records), nil
}

// judgeAll judges every account of the group. A breach ends the soak.
func (g *l3Group) judgeAll(complete bool) error {
	for _, a := range g.accounts {
		if err := g.mustJudge(a, complete); err != nil {
			return err
		}
	}
	return nil
}

// mustJudge turns breaches into an error, and counts them by what they mean.
func (g *l3Group) mustJudge(a *l3Account, complete bool) error {
	breaches, err := g.judge(a, complete)
	if err != nil {
		return fmt.Errorf("%s on %s: judging: %w", a.name, a.host, err)
	}
	if len(breaches) == 0 {
		return nil
	}
	for _, b := range breaches {
		g.soak.result.breach(fmt.Sprintf("%s on %s: %s", a.name, a.host, b), b.Promise)
	}
	return fmt.Errorf("%s on %s: %d breaches, the first: %s", a.name, a.host, len(breaches), breaches[0])
}

// retire judges an account that has had its share, for the last time, and
// removes its folders. The caller has seen it complete.
func (g *l3Group) retire(a *l3Account) error {
	if err := g.mustJudge(a, true); err != nil {
		return err
	}
	a.close()
	if err := g.count(a); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(filepath.Join(g.archive, a.name)), os.RemoveAll(filepath.Join(g.state, a.name)))
}

// count adds what the archive holds of an account to the result.
func (g *l3Group) count(a *l3Account) error {
	root := filepath.Join(g.archive, a.name)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == root {
			return nil // no message ever came
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		g.soak.result.archive(info.Size())
		return nil
	})
}
