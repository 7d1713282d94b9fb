package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// StartsFile is the name of the count of starts in a post's state folder.
const StartsFile = "starts"

// startsSize is the file's: two counts and their HMAC-SHA-256.
const startsSize = 8 + 8 + sha256.Size

// Counter is a count that nobody can set back: a TPM's.
type Counter interface {
	// Enrolled is the value at which the vault was made.
	Enrolled() uint64
	// Count reads the value, calls check with it, and raises it by one if
	// check returns nil.
	Count(ctx context.Context, check func(now uint64) error) error
}

// CountStart raises the count of starts in the file at path and returns it:
// the number by which central notices an old disk image put back. Where c is
// not nil, the file must also be as new as the counter (post.counter).
//
// The disk is written before the chip is raised: a cut between leaves it one
// ahead, which the next start makes good.
func (v *Vault) CountStart(ctx context.Context, path string, c Counter) (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return 0, errLocked()
	}
	count, chip, err := v.readStarts(path)
	if err != nil {
		return 0, err
	}
	count++
	if c == nil {
		return count, v.writeStarts(path, count, chip)
	}
	if chip == 0 {
		chip = c.Enrolled()
	}
	err = c.Count(ctx, func(now uint64) error {
		if now != chip && now+1 != chip {
			return errStarts("the disk counts %d starts since enrolment, the TPM %d", int64(chip-c.Enrolled()), int64(now-c.Enrolled()))
		}
		return v.writeStarts(path, count, now+1)
	})
	return count, err
}

func errStarts(format string, args ...any) error {
	return fault.New("post.counter", format, args...).
		WithHint("an old disk image was put back or the count was taken away: find out who did it, then enrol the box again")
}

// readStarts reads both counts, zeros where there is no file.
func (v *Vault) readStarts(path string) (count, chip uint64, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fault.Wrap("post.state", err)
	}
	if len(raw) != startsSize {
		return 0, 0, errStarts("the count of starts on disk is not as it was written")
	}
	for _, key := range []*Key{v.device, v.previous} {
		if key == nil {
			continue
		}
		sum, err := startsMAC(key, raw[:16])
		if err != nil {
			return 0, 0, err
		}
		if hmac.Equal(raw[16:], sum[:]) {
			return binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:]), nil
		}
	}
	return 0, 0, errStarts("the count of starts on disk is not as it was written")
}

func (v *Vault) writeStarts(path string, count, chip uint64) error {
	raw := binary.BigEndian.AppendUint64(nil, count)
	raw = binary.BigEndian.AppendUint64(raw, chip)
	sum, err := startsMAC(v.device, raw)
	if err != nil {
		return err
	}
	return fault.Wrap("vault.write", durable.Replace(path, append(raw, sum[:]...)))
}

// ForgetChip makes the count of starts begin with another chip, or with the
// same after it was wiped: what only who recovers a vault does.
func (v *Vault) ForgetChip(path string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return errLocked()
	}
	count, _, err := v.readStarts(path)
	if err != nil {
		return err
	}
	return v.writeStarts(path, count, 0)
}

// rewriteStarts authenticates the counts under the device key of now.
func (v *Vault) rewriteStarts(path string) error {
	count, chip, err := v.readStarts(path)
	if err != nil || count == 0 {
		return err
	}
	return v.writeStarts(path, count, chip)
}

func startsMAC(key *Key, counts []byte) ([32]byte, error) {
	return key.MAC([]byte("watchpost/starts/2"), counts)
}
