package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// sessionFile is the name of a session in its folder, maxSession its largest
// size in octets.
const (
	sessionFile = "evidence.json"
	maxSession  = 1 << 20
)

// Write writes files, by the names of a reading, and the session into dir,
// which is made where it does not exist. Each file appears whole or not at
// all, evidence.json last; folder and files are the owner's alone. What the
// folder held before stays unless it has the same name.
func Write(dir string, files map[string][]byte, s Session) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(ErrWrite.Code, err)
	}
	for name, data := range files {
		if err := durable.Put(filepath.Join(dir, "EF_"+name+".bin"), data, 0o600); err != nil {
			return fault.Wrap(ErrWrite.Code, err)
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = durable.Put(filepath.Join(dir, sessionFile), append(text, '\n'), 0o600)
	}
	return fault.Wrap(ErrWrite.Code, err)
}

// ReadFiles reads the files of dir that are named as files of a chip, as
// lds.NamedFile knows them; others are ignored. A file that cannot be read, or
// that lies there twice with different octets, costs the others nothing: unread
// has its code. An error means that there is nothing to judge.
func ReadFiles(dir string) (files map[lds.File][]byte, unread map[lds.File]string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fault.Wrap(ErrFile.Code, err)
	}
	files, unread = map[lds.File][]byte{}, map[lds.File]string{}
	for _, e := range entries {
		name, ok := lds.NamedFile(e.Name())
		if !ok || e.IsDir() {
			continue
		}
		// One octet over the limit is kept, so that the judge sees that the file is too large.
		data, err := readLimited(filepath.Join(dir, e.Name()), lds.MaxFile+1)
		held, twice := files[name]
		switch {
		case unread[name] != "":
		case err != nil:
			unread[name] = string(ErrFile.Code)
			delete(files, name)
		case twice && !bytes.Equal(held, data):
			unread[name] = string(ErrDuplicate.Code)
			delete(files, name)
		default:
			files[name] = data
		}
	}
	if len(files)+len(unread) == 0 {
		return nil, nil, fault.New(ErrEmpty.Code, "the folder holds no file of a chip").
			WithHint("files are named EF_SOD.bin, EF_DG1.bin and so on")
	}
	return files, unread, nil
}

// ReadSession reads evidence.json of dir; ok is false where there is none.
func ReadSession(dir string) (s Session, ok bool, err error) {
	raw, err := readLimited(filepath.Join(dir, sessionFile), maxSession+1)
	if errors.Is(err, fs.ErrNotExist) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fault.Wrap(ErrFile.Code, err)
	}
	s, err = parseSession(raw)
	return s, err == nil, err
}

func parseSession(raw []byte) (Session, error) {
	if len(raw) > maxSession {
		return Session{}, fault.New(ErrForm.Code, "over %d octets", maxSession)
	}
	var s Session
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Session{}, fault.New(ErrForm.Code, "%s is malformed", sessionFile) // the decoder's words quote values
	}
	if s.Version != Version {
		return Session{}, fault.New(ErrForm.Code, "version %d", s.Version)
	}
	return s, nil
}

// readLimited reads at most limit octets of a regular file.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(ErrFile.Code, "%s is no regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	return io.ReadAll(io.LimitReader(f, limit))
}
