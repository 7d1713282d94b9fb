package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// RefusalsFile is the name, in a post's state folder, of the openings that
// were refused since the audit log could last be written to: it is closed
// while the keys are locked, so what is refused then waits here.
const RefusalsFile = "refusals.jsonl"

// maxRefusals bounds the file in bytes, some 800 refusals: whoever tries on
// cannot fill the disk.
const maxRefusals = 64 << 10

// Refusal is an opening of the vault that was refused. It says nothing of what
// was given.
type Refusal struct {
	At   time.Time  `json:"at"`
	Kind string     `json:"kind"`           // way that was tried
	Name string     `json:"name,omitempty"` // whose way, as the vault file names it
	Code fault.Code `json:"code"`
}

// NoteRefusal adds r to the file at path, on disk when it returns. A file that
// is full stays as it is: the first refusals tell when it began.
func NoteRefusal(path string, r Refusal) error {
	h, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fault.Wrap("vault.write", err)
	}
	line, err := json.Marshal(r)
	if err == nil {
		var at os.FileInfo
		if at, err = h.Stat(); err == nil && at.Size()+int64(len(line)) < maxRefusals {
			if _, err = h.Write(append(line, '\n')); err == nil {
				err = h.Sync()
			}
		}
	}
	return fault.Wrap("vault.write", errors.Join(err, h.Close()))
}

// Refusals reads the file at path, none where there is no file. Lines that
// cannot be read (cut by a power loss, or written by somebody else) are
// counted as damaged.
func Refusals(path string) (all []Refusal, damaged int, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fault.Wrap("vault.read", err)
	}
	for line := range bytes.Lines(raw[:min(len(raw), maxRefusals)]) {
		var r Refusal
		if json.Unmarshal(line, &r) != nil || r.At.IsZero() || r.Code == "" || len(r.Kind)+len(r.Name)+len(r.Code) > 256 {
			damaged++
			continue
		}
		all = append(all, r)
	}
	return all, damaged, nil
}

// ForgetRefusals removes the file at path, once the audit log has what it says.
func ForgetRefusals(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap("vault.write", err)
	}
	return nil
}
