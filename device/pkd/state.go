package pkd

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	stateName    = "pkd.json"
	lockName     = "pkd.lock"
	stateVersion = 1
)

// state is what earlier downloads into a store saw, by directory.
type state struct {
	Version     int                   `json:"version"`
	Directories map[string]*directory `json:"directories"` // by Target.String
}

// directory is what one directory showed.
type directory struct {
	Highest int64           `json:"highest"`           // largest pkdVersion that was seen
	Anchors string          `json:"anchors,omitempty"` // digest of who could vouch when refusals were made
	Entries map[string]held `json:"entries"`           // by distinguished name in lower case
}

// held is an entry that was fetched.
type held struct {
	Version string     `json:"version"`           // versionOf the entry
	Refused fault.Code `json:"refused,omitempty"` // why something of it was not taken
}

// number is the pkdVersion of a version; ok is false where it is none.
func number(version string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(version, "pkdversion:")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

// readState reads the record in a store's folder. Error: ErrState.
func readState(dir string) (*state, error) {
	s := &state{Version: stateVersion, Directories: map[string]*directory{}}
	raw, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fault.New(ErrState.Code, "%s: %v", stateName, err).WithHint("remove it to download all anew; the store itself keeps its own protection against older editions")
	}
	if s.Version != stateVersion {
		return nil, fault.New(ErrState.Code, "%s is of version %d, this program reads %d", stateName, s.Version, stateVersion)
	}
	return s, nil
}

// of returns the record of a directory, made when there is none.
func (s *state) of(t Target) *directory {
	d := s.Directories[t.String()]
	if d == nil {
		d = &directory{}
		s.Directories[t.String()] = d
	}
	if d.Entries == nil {
		d.Entries = map[string]held{}
	}
	return d
}

// save replaces the record so that a power cut leaves the old or the new one.
func (s *state) save(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(ErrState.Code, err)
	}
	return fault.Wrap(ErrState.Code, durable.Put(filepath.Join(dir, stateName), raw, 0o600))
}

// lock keeps other downloads out of a store until release. Error: ErrBusy.
func lock(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, ErrBusy
	}
	return func() { _ = f.Close() }, nil
}
