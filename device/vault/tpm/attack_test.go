package tpm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

// TestAttackTPM is what somebody with the disk, the box or both tries, and
// the exact code each attempt ends in. After each the rightful way in must
// still be open, where the attack left it one.
func TestAttackTPM(t *testing.T) {
	t.Run("copied disk in another box", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := b.u
		thief.Device = newTPM(t)
		wantCode(t, b.open(t, thief), "tpm.other")
		b.mustOpen(t)
	})
	t.Run("copied disk in another box, chip named anew", func(t *testing.T) {
		b, other := newBox(t, newTPM(t)), newBox(t, newTPM(t))
		p := b.decoded(t)
		p.Parent = other.decoded(t).Parent // and its counters are those of the other's chip
		p.Epoch, p.Starts = other.decoded(t).Epoch, other.decoded(t).Starts
		wantCode(t, b.derive(t, other.u, p), "tpm.damaged")
	})
	t.Run("copied disk without a TPM", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := b.u
		thief.Device = "unix:" + filepath.Join(t.TempDir(), "none")
		wantCode(t, b.open(t, thief), "tpm.missing")
	})
	t.Run("chip taken away while the box runs", func(t *testing.T) {
		device, stop := startTPM(t, swtpm.Dir(t))
		b := newBox(t, device)
		stop()
		wantCode(t, b.open(t, b.u), "tpm.missing")
	})
	for _, pcr := range []uint32{7, 11} {
		t.Run("changed boot, register "+map[uint32]string{7: "7", 11: "11"}[pcr], func(t *testing.T) {
			dir := swtpm.Dir(t)
			device, stop := startTPM(t, dir)
			b := newBox(t, device)
			extend(t, device, pcr)
			wantCode(t, b.open(t, b.u), "tpm.policy")
			stop()
			startTPM(t, dir) // its own image again
			b.mustOpen(t)
		})
	}
	t.Run("registers left out of the policy", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		extend(t, b.u.Device, 7)
		p := b.decoded(t)
		p.PCRs = []uint{8}
		wantCode(t, b.derive(t, b.u, p), "tpm.policy")
	})
	t.Run("original box without PIN", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		wantCode(t, b.open(t, Unlocker{Device: b.u.Device}), "vault.pin_none")
		b.mustOpen(t)
	})
	t.Run("PIN left out of the policy", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		p := b.decoded(t)
		p.PIN = false
		wantCode(t, b.derive(t, Unlocker{Device: b.u.Device}, p), "tpm.policy")
		b.mustOpen(t)
	})
	t.Run("policy forged in the sealed object", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		p := b.decoded(t)
		pub, err := p.public()
		if err != nil {
			t.Fatal(err)
		}
		pub.AuthPolicy.Buffer = bytes.Repeat([]byte{1}, 32)
		p.Public = tpm2.Marshal(pub)
		wantCode(t, b.derive(t, b.u, p), "tpm.damaged")
	})
	t.Run("wrong PIN", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := b.u
		thief.PIN = []byte("000000")
		wantCode(t, b.open(t, thief), "vault.pin")
		b.mustOpen(t)
	})
	t.Run("overlong PIN", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := b.u
		thief.PIN = make([]byte, MaxPIN+1)
		wantCode(t, b.open(t, thief), "vault.pin")
	})
	t.Run("PIN guessing", testGuessing)
	t.Run("halves of two blobs swapped", func(t *testing.T) {
		device := newTPM(t)
		one, two := newBox(t, device), newBox(t, device)
		p := one.decoded(t)
		p.Private = two.decoded(t).Private
		wantCode(t, one.derive(t, one.u, p), "tpm.damaged")
	})
	t.Run("blob truncated", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		for _, cut := range []int{1, 16, 64} {
			p := b.decoded(t)
			p.Private = p.Private[:len(p.Private)-cut]
			wantCode(t, b.derive(t, b.u, p), "tpm.damaged")
			p = b.decoded(t)
			p.Public = p.Public[:len(p.Public)-cut]
			wantCode(t, b.derive(t, b.u, p), "tpm.damaged")
		}
		p := b.decoded(t)
		p.Private = nil
		wantCode(t, b.derive(t, b.u, p), "tpm.damaged")
	})
	t.Run("every byte of the blob changed", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		for at := range b.decoded(t).Private {
			p := b.decoded(t)
			p.Private[at] ^= 0x40
			wantCode(t, b.derive(t, b.u, p), "tpm.damaged")
		}
		b.mustOpen(t)
	})
	t.Run("vault file of another post, same chip", func(t *testing.T) {
		device := newTPM(t)
		mine, other := newBox(t, device), Unlocker{Device: device, PIN: []byte("other-pin")}
		theirs := box{u: other, path: filepath.Join(t.TempDir(), "vault.json")}
		theirs.create(t)
		theirs.put(t, mine.path)
		wantCode(t, mine.open(t, mine.u), "vault.pin")
	})
	t.Run("vault file of another post, other chip", func(t *testing.T) {
		mine, theirs := newBox(t, newTPM(t)), newBox(t, newTPM(t))
		theirs.put(t, mine.path)
		wantCode(t, mine.open(t, mine.u), "tpm.other")
	})
	t.Run("older blob replayed after a wipe", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		old := b.params(t)
		if err := b.u.Forget(context.Background(), old); err != nil {
			t.Fatal(err)
		}
		again := newBox(t, b.u.Device) // at the same places of the chip
		wantCode(t, b.open(t, b.u), "tpm.wiped")
		p := b.decoded(t)
		p.Epoch = again.decoded(t).Epoch // the counter as it stands now
		wantCode(t, b.derive(t, b.u, p), "tpm.policy")
	})
	t.Run("chip cleared", func(t *testing.T) {
		dir := swtpm.Dir(t)
		device, stop := startTPM(t, dir)
		b := newBox(t, device)
		stop()
		files, err := filepath.Glob(filepath.Join(dir, "*.permall"))
		if err != nil || len(files) != 1 {
			t.Fatalf("state of the chip: %v %v", files, err)
		}
		if err := os.Remove(files[0]); err != nil {
			t.Fatal(err)
		}
		startTPM(t, dir)
		wantCode(t, b.open(t, b.u), "tpm.other")
	})
	t.Run("unknown form of policy", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		p := b.decoded(t)
		p.Policy = "none"
		wantCode(t, b.derive(t, b.u, p), "tpm.format")
	})
}

// testGuessing guesses until the chip shuts, and then tries what a thief with
// the running box could do about it.
func testGuessing(t *testing.T) {
	dir := swtpm.Dir(t)
	device, stop := startTPM(t, dir)
	b := newBox(t, device)
	thief := b.u
	thief.PIN = []byte("000000")
	for range maxTries {
		wantCode(t, b.open(t, thief), "vault.pin")
	}
	wantCode(t, b.open(t, thief), "tpm.lockout")
	wantCode(t, b.open(t, b.u), "tpm.lockout") // the right PIN tells nothing now
	stop()
	startTPM(t, dir) // power off and on
	wantCode(t, b.open(t, thief), "tpm.lockout")

	c, err := dial(context.Background(), device)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = tpm2.HierarchyChangeAuth{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(c)
	if err == nil {
		t.Fatal("the lockout authorisation is free: the count can be reset")
	}
	if err := dictionaryAttackParameters(c, 1000, 1, 1); fault.CodeOf(err) == "" {
		t.Fatal("the limit of tries can be raised")
	}
}

// TestAttackOldDiskImage puts back what was on the disk at an earlier start.
func TestAttackOldDiskImage(t *testing.T) {
	ctx := context.Background()
	setup := func(t *testing.T) (box, string, func() error) {
		b, path := newBox(t, newTPM(t)), filepath.Join(t.TempDir(), vault.StartsFile)
		c, err := b.u.Counter(b.params(t))
		if err != nil {
			t.Fatal(err)
		}
		return b, path, func() error {
			v, err := vault.Open(ctx, b.path, b.u)
			if err != nil {
				return err
			}
			defer v.Lock()
			_, err = v.CountStart(ctx, path, c)
			return err
		}
	}
	starts := func(t *testing.T, start func() error, n int) {
		t.Helper()
		for range n {
			if err := start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(t *testing.T, path string) []byte {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	put := func(t *testing.T, path string, raw []byte) {
		t.Helper()
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("image of an earlier start", func(t *testing.T) {
		_, path, start := setup(t)
		starts(t, start, 2)
		old := read(t, path)
		starts(t, start, 1)
		put(t, path, old)
		wantCode(t, start(), "post.counter")
		wantCode(t, start(), "post.counter") // and it stays so
	})
	t.Run("image of the enrolment", func(t *testing.T) {
		_, path, start := setup(t)
		starts(t, start, 2)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		wantCode(t, start(), "post.counter")
	})
	t.Run("count forged", func(t *testing.T) {
		_, path, start := setup(t)
		starts(t, start, 1)
		raw := read(t, path)
		raw[15]++
		put(t, path, raw)
		wantCode(t, start(), "post.counter")
	})
	t.Run("count truncated", func(t *testing.T) {
		_, path, start := setup(t)
		starts(t, start, 1)
		if err := os.Truncate(path, 8); err != nil {
			t.Fatal(err)
		}
		wantCode(t, start(), "post.counter")
	})
	t.Run("count of another post", func(t *testing.T) {
		_, path, start := setup(t)
		_, other, startOther := setup(t)
		starts(t, start, 1)
		starts(t, startOther, 1)
		put(t, path, read(t, other))
		wantCode(t, start(), "post.counter")
	})
	t.Run("chip's count raised by a thief", func(t *testing.T) {
		b, _, start := setup(t)
		starts(t, start, 1)
		c, err := b.u.Counter(b.params(t))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.Count(ctx, func(uint64) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, start(), "post.counter")
	})
	t.Run("power cut between disk and chip is no attack", func(t *testing.T) {
		b, path, start := setup(t)
		starts(t, start, 1)
		c, err := b.u.Counter(b.params(t))
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(ctx, b.path, b.u)
		if err != nil {
			t.Fatal(err)
		}
		cut := errors.New("power cut")
		if _, err := v.CountStart(ctx, path, cutAfterDisk{c, cut}); !errors.Is(err, cut) {
			t.Fatal(err)
		}
		v.Lock()
		starts(t, start, 3)
	})
}

// cutAfterDisk loses power after the disk has been written.
type cutAfterDisk struct {
	vault.Counter
	cut error
}

func (c cutAfterDisk) Count(ctx context.Context, check func(uint64) error) error {
	return c.Counter.Count(ctx, func(now uint64) error {
		if err := check(now); err != nil {
			return err
		}
		return c.cut
	})
}
