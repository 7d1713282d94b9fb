// Package powercut shows a program's files as a power cut could have left
// them, at any moment of a run that was logged call by call.
//
// What a call had changed lasts from the next fsync or fdatasync of that very
// file or folder on; until then any part of it may be there or not: each
// sector of 512 bytes of each write by itself, each change of length, each
// change of a name, in any order. README.md says why every state that the
// replay of a block device's log could give is among these.
package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/hwtest/syscalls"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// node is a file or folder.
type node struct {
	folder bool

	synced []byte   // a file's content as it lasts
	now    []byte   // as the program sees it
	since  []change // from synced to now

	lasting map[string]*node   // a folder's names as they last
	names   map[string]*node   // as the program sees them
	moves   map[string][]*node // what each name stood for since, nil for nothing
}

// change is one write, or one change of length.
type change struct {
	at   int64
	data []byte // nil: the file gets length at
}

func newFolder() *node {
	return &node{folder: true, lasting: map[string]*node{}, names: map[string]*node{}, moves: map[string][]*node{}}
}

func (n *node) set(name string, to *node) {
	n.moves[name] = append(n.moves[name], to)
	if to == nil {
		delete(n.names, name)
	} else {
		n.names[name] = to
	}
}

func (n *node) apply(c change) {
	n.now = c.apply(n.now, func(int) bool { return true })
	n.since = append(n.since, c)
}

// apply returns the content after the change, of which it takes the sectors
// that take says.
func (c change) apply(to []byte, take func(sector int) bool) []byte {
	if c.data == nil {
		if int64(len(to)) > c.at {
			return to[:c.at:c.at]
		}
		return append(to, make([]byte, c.at-int64(len(to)))...)
	}
	if end := c.at + int64(len(c.data)); int64(len(to)) < end {
		to = append(to, make([]byte, end-int64(len(to)))...)
	}
	for from := int64(0); from < int64(len(c.data)); {
		s := (c.at + from) / sector
		until := min(int64(len(c.data)), (s+1)*sector-c.at)
		if take(int(s)) {
			copy(to[c.at+from:], c.data[from:until])
		}
		from = until
	}
	return to
}

func (n *node) sync() {
	if n.folder {
		n.lasting, n.moves = maps.Clone(n.names), map[string][]*node{}
		return
	}
	n.synced, n.since = bytes.Clone(n.now), nil
}

// Disk is the part of a disk below one folder. It is for one goroutine.
type Disk struct {
	root string
	top  *node
	open map[int64]*handle
	said []byte // what the program had written to standard output
}

type handle struct {
	node *node
	at   int64
}

// NewDisk returns a disk on which the folder root is there and empty.
func NewDisk(root string) *Disk {
	return &Disk{root: root, top: newFolder(), open: map[int64]*handle{}}
}

// Said returns what the program had written to standard output so far.
func (d *Disk) Said() string { return string(d.said) }

var errNotModelled = errors.New("a call that is not modelled")

// Do carries out a logged call and tells whether it changed the disk.
func (d *Disk) Do(c syscalls.Call) (bool, error) {
	switch c.Name {
	case "openat":
		return d.openFile(string(c.Args[1].Bytes), c.Args[2].Text, c.Ret)
	case "close":
		delete(d.open, c.Args[0].Int())
		return false, nil
	case "lseek":
		if h := d.open[c.Args[0].Int()]; h != nil {
			h.at = c.Ret
		}
		return false, nil
	case "write":
		fd := c.Args[0].Int()
		if h := d.open[fd]; h != nil {
			h.node.apply(change{h.at, c.Args[1].Bytes[:c.Ret]})
			h.at += c.Ret
			return true, nil
		}
		if fd == 1 {
			d.said = append(d.said, c.Args[1].Bytes[:c.Ret]...)
		}
		return false, nil
	case "pwrite64":
		if h := d.open[c.Args[0].Int()]; h != nil {
			h.node.apply(change{c.Args[3].Int(), c.Args[1].Bytes[:c.Ret]})
			return true, nil
		}
		return false, nil
	case "ftruncate":
		if h := d.open[c.Args[0].Int()]; h != nil {
			h.node.apply(change{c.Args[1].Int(), nil})
			return true, nil
		}
		return false, nil
	case "fsync", "fdatasync":
		if h := d.open[c.Args[0].Int()]; h != nil {
			h.node.sync()
			return true, nil
		}
		return false, nil
	case "mkdirat":
		return d.name(string(c.Args[1].Bytes), newFolder())
	case "unlinkat":
		return d.name(string(c.Args[1].Bytes), nil)
	case "renameat":
		return d.rename(string(c.Args[1].Bytes), string(c.Args[3].Bytes))
	case "linkat":
		from, name := d.folderOf(string(c.Args[1].Bytes))
		if from == nil {
			return false, nil
		}
		return d.name(string(c.Args[3].Bytes), from.names[name])
	}
	// Others are refused where they concern these files.
	if len(c.Args) > 0 && d.open[c.Args[0].Int()] == nil && !strings.Contains(fmt.Sprint(c.Args), d.root) {
		return false, nil
	}
	return false, fmt.Errorf("%w: %s", errNotModelled, c.Name)
}

// folderOf returns the folder that holds a path and the name in it; nil where
// the path is not on this disk.
func (d *Disk) folderOf(path string) (*node, string) {
	rel, err := filepath.Rel(d.root, path)
	if err != nil || !filepath.IsAbs(path) || rel == "." || strings.HasPrefix(rel, "..") {
		return nil, ""
	}
	at := d.top
	parts := strings.Split(rel, "/")
	for _, p := range parts[:len(parts)-1] {
		if at = at.names[p]; at == nil || !at.folder {
			return nil, ""
		}
	}
	return at, parts[len(parts)-1]
}

func (d *Disk) openFile(path, flags string, fd int64) (bool, error) {
	delete(d.open, fd)
	if path == d.root {
		d.open[fd] = &handle{node: d.top}
		return false, nil
	}
	folder, name := d.folderOf(path)
	if folder == nil {
		return false, nil
	}
	n, changed := folder.names[name], false
	if n == nil {
		if !strings.Contains(flags, "O_CREAT") {
			return false, fmt.Errorf("%s was opened and never made", name)
		}
		n, changed = &node{}, true
		folder.set(name, n)
	}
	if strings.Contains(flags, "O_APPEND") {
		return false, fmt.Errorf("%w: O_APPEND", errNotModelled)
	}
	if strings.Contains(flags, "O_TRUNC") && len(n.now) > 0 {
		n.apply(change{0, nil})
		changed = true
	}
	d.open[fd] = &handle{node: n}
	return changed, nil
}

func (d *Disk) name(path string, to *node) (bool, error) {
	folder, name := d.folderOf(path)
	if folder == nil {
		return false, nil
	}
	folder.set(name, to)
	return true, nil
}

func (d *Disk) rename(from, to string) (bool, error) {
	folder, name := d.folderOf(from)
	other, as := d.folderOf(to)
	if folder == nil || other == nil {
		if folder == other {
			return false, nil
		}
		return false, fmt.Errorf("%w: a rename into or out of the folder", errNotModelled)
	}
	n := folder.names[name]
	folder.set(name, nil)
	other.set(as, n)
	return true, nil
}

// Kind says which of the states of a moment is meant.
type Kind int

// Kinds of states.
const (
	Nothing    Kind = 0 // of what was not synced is there
	Everything Kind = 1
	Some       Kind = 2 // chance decides for each sector, length and name
)

// Leave writes the state after a power cut into an empty folder.
func (d *Disk) Leave(dir string, k Kind, r *rand.Rand) error { return d.top.leave(dir, k, r) }

func (n *node) leave(path string, k Kind, r *rand.Rand) error {
	if !n.folder {
		return os.WriteFile(path, n.left(k, r), 0o600)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	all := maps.Clone(n.lasting)
	for name, was := range n.moves {
		may := append([]*node{n.lasting[name]}, was...)
		switch k {
		case Everything:
			all[name] = may[len(may)-1]
		case Some:
			all[name] = may[r.IntN(len(may))]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] == nil {
			continue
		}
		if err := all[name].leave(filepath.Join(path, name), k, r); err != nil {
			return err
		}
	}
	return nil
}

// left returns what is left of a file's content.
func (n *node) left(k Kind, r *rand.Rand) []byte {
	content := bytes.Clone(n.synced)
	if k == Nothing {
		return content
	}
	for _, c := range n.since {
		take := func(int) bool { return true }
		if k == Some {
			switch r.IntN(3) {
			case 0:
				continue
			case 1:
				take = func(int) bool { return r.IntN(2) == 0 }
			}
		}
		content = c.apply(content, take)
	}
	return content
}
