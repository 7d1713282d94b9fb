package pkd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
)

// spool keeps what came of a download until it is in the store, so that a
// broken connection costs nothing twice: one JSON object a line, appended. One
// goroutine only.
type spool struct {
	path    string
	file    *os.File
	entries map[string]*fetched // by distinguished name in lower case
}

// fetched is one entry as it came.
type fetched struct {
	Name    string  `json:"dn"`
	Version string  `json:"version"`
	Values  []value `json:"values"`
}

type value struct {
	Attribute string `json:"attribute"`
	Raw       []byte `json:"raw"`
}

// spoolLine bounds one line: base64 of one message.
const spoolLine = 128 << 20

// openSpool reads what an earlier download of the same directory left. A line
// cut by a crash ends it.
func openSpool(dir string, t Target) (*spool, error) {
	sum := sha256.Sum256([]byte(t.String()))
	s := &spool{path: filepath.Join(dir, "pkd-"+hex.EncodeToString(sum[:8])+".spool"), entries: map[string]*fetched{}}
	whole, err := s.load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	if s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	if err := s.file.Truncate(whole); err != nil {
		_ = s.file.Close()
		return nil, fault.Wrap(ErrState.Code, err)
	}
	if _, err := s.file.Seek(whole, 0); err != nil {
		_ = s.file.Close()
		return nil, fault.Wrap(ErrState.Code, err)
	}
	return s, nil
}

// load returns the octets of the whole lines.
func (s *spool) load() (whole int64, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	in := bufio.NewScanner(f)
	in.Buffer(nil, spoolLine)
	in.Split(wholeLines)
	for in.Scan() {
		e := &fetched{}
		if json.Unmarshal(in.Bytes(), e) != nil {
			return whole, nil
		}
		whole += int64(len(in.Bytes())) + 1
		s.entries[fold(e.Name)] = e
	}
	return whole, nil
}

// wholeLines is bufio.ScanLines without a last line that lacks its end, and
// without taking anything off.
func wholeLines(data []byte, _ bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

// add keeps an entry. Error: ErrState.
func (s *spool) add(e *fetched) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fault.Wrap(ErrState.Code, err)
	}
	if _, err := s.file.Write(append(raw, '\n')); err != nil {
		return fault.Wrap(ErrState.Code, err)
	}
	s.entries[fold(e.Name)] = e
	return nil
}

// close leaves the spool for the next download.
func (s *spool) close() { _ = s.file.Close() }

// drop removes it.
func (s *spool) drop() {
	s.close()
	_ = os.Remove(s.path)
}
