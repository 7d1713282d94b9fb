package witness

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// Folder keeps every head it takes as a file, ORIGIN/NUMBER.head, below a
// folder: a stick that is carried away, or the state of a witness service. It
// is safe for concurrent use within one process.
type Folder struct {
	dir string

	mu sync.Mutex // one head is judged and written at a time
}

// OpenFolder returns the folder at dir, which has to be there: a medium that is
// not plugged in must not become a folder on the post's own disk.
func OpenFolder(dir string) (*Folder, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return nil, fault.New("audit.medium", "the folder for heads is not there").WithHint("plug the medium in, or make the folder on it").AsRetryable()
	}
	return &Folder{dir: dir}, nil
}

// suffix of the file of a head.
const suffix = ".head"

// place is the folder of a log. Origins have a slash.
func (f *Folder) place(origin string) string { return filepath.Join(f.dir, url.PathEscape(origin)) }

// Add judges a head against the last one and keeps it. Adding a head that is
// held changes nothing. Errors are those of Open and Judge, and audit.medium
// where it could not be written.
func (f *Folder) Add(s Submission, origin string, keys ...note.Verifier) error {
	next, err := checkpoint.Open(s.Head, origin, keys...)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held, err := f.last(origin)
	if err != nil {
		return err
	}
	repeated, err := Judge(held, next, s.From, s.Proof)
	if err != nil || repeated {
		return err
	}
	number := next.Number
	if number == checkpoint.NoNumber { // another program's log: count them ourselves
		names, err := f.names(origin)
		if err != nil {
			return err
		}
		number = int64(len(names))
	}
	return f.write(origin, fmt.Sprintf("%012d%s", number, suffix), s.Head)
}

// Last returns the newest head held of a log, nil for none.
func (f *Folder) Last(origin string) (*checkpoint.Checkpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last(origin)
}

func (f *Folder) last(origin string) (*checkpoint.Checkpoint, error) {
	names, err := f.names(origin)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	raw, err := read(filepath.Join(f.place(origin), names[len(names)-1]))
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// Heads returns all heads held of a log, in order.
func (f *Folder) Heads(origin string) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, err := f.names(origin)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, len(names))
	for _, name := range names {
		raw, err := read(filepath.Join(f.place(origin), name))
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

func (f *Folder) names(origin string) ([]string, error) {
	entries, err := os.ReadDir(f.place(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, medium(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func read(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, medium(err)
	}
	if info.Size() > checkpoint.MaxBytes {
		return nil, fault.New(checkpoint.ErrForm.Code, "%d bytes, at most %d", info.Size(), checkpoint.MaxBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, medium(err)
	}
	return raw, nil
}

// write puts a file there whole or not at all, and on the medium before it
// returns: it may be pulled out any moment.
func (f *Folder) write(origin, name string, raw []byte) error {
	dir := f.place(origin)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return medium(err)
	}
	if err := errors.Join(durable.Put(filepath.Join(dir, name), raw, 0o644), durable.SyncDir(dir), durable.SyncDir(f.dir)); err != nil {
		return medium(err)
	}
	return nil
}

func medium(err error) error {
	return fault.New("audit.medium", "%w", err).WithHint("the medium for heads cannot be read or written: look whether it is full or was pulled out").AsRetryable()
}
