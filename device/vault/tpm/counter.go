package tpm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// StartsFile is the name of the count in a post's state folder.
const StartsFile = "starts"

// startsSize is the file's: the count, and its HMAC-SHA-256 under the key.
const startsSize = 8 + sha256.Size

// countStart compares the count on disk with the chip's and raises both. The
// disk is written first: a cut between leaves it one ahead, which the next
// start finishes. A disk that is behind is an old one (post.counter).
func (c *chip) countStart(path string, key []byte, enrolled index) error {
	chip, err := c.readCounter(enrolled.Handle)
	if err != nil {
		return err
	}
	disk, err := readStarts(path, key, enrolled)
	if err != nil {
		return err
	}
	switch disk {
	case chip:
		if err := writeStarts(path, key, enrolled, chip+1); err != nil {
			return err
		}
	case chip + 1: // a start that was cut between the two
	default:
		return errCounter("the disk counts %d starts since enrolment, the TPM %d", int64(disk-enrolled.Value), int64(chip-enrolled.Value))
	}
	return c.raiseCounter(enrolled.Handle)
}

func errCounter(format string, args ...any) error {
	return fault.New("post.counter", format, args...).
		WithHint("an old disk image was put back or the count was taken away: find out who did it, then enrol the box again")
}

// readStarts reads the count; without a file it is that of the enrolment.
func readStarts(path string, key []byte, enrolled index) (uint64, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return enrolled.Value, nil
	}
	if err != nil {
		return 0, fault.Wrap("post.state", err)
	}
	if len(raw) != startsSize || !hmac.Equal(raw[8:], startsMAC(key, enrolled, raw[:8])) {
		return 0, errCounter("the count of starts on disk is not as it was written")
	}
	return binary.BigEndian.Uint64(raw), nil
}

func writeStarts(path string, key []byte, enrolled index, n uint64) error {
	raw := binary.BigEndian.AppendUint64(nil, n)
	raw = append(raw, startsMAC(key, enrolled, raw)...)
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fault.Wrap("post.state", err)
	}
	_, err = temp.Write(raw)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fault.Wrap("post.state", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fault.Wrap("post.state", err)
	}
	return fault.Wrap("post.state", errors.Join(dir.Sync(), dir.Close()))
}

func startsMAC(key []byte, enrolled index, count []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(vault.Identity("watchpost/starts/1"))
	h.Write(binary.BigEndian.AppendUint32(nil, enrolled.Handle))
	h.Write(count)
	return h.Sum(nil)
}
