package tpm

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

// changePIN does what "watchpost keys pin" does.
func (b *box) changePIN(t testing.TB, to []byte) {
	t.Helper()
	v, err := vault.Open(t.Context(), b.path, b.u)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Lock()
	next := b.u
	next.PIN = to
	if next, err = next.Beside(b.params(t)); err != nil {
		t.Fatal(err)
	}
	before, err := v.ReplaceUnlock(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.u.ForgetWay(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	b.u.PIN = to
}

func TestChangePIN(t *testing.T) {
	b := newBox(t, newTPM(t))
	old := b.u
	places := b.decoded(t)
	b.changePIN(t, []byte("anotherpin"))
	b.mustOpen(t)
	wantCode(t, b.open(t, old), "vault.pin")
	now := b.decoded(t)
	if now.Starts != places.Starts || now.Epoch == places.Epoch {
		t.Errorf("the count of starts moved, or the place of the PIN did not: %+v, before %+v", now, places)
	}
}

// TestAttackPIN is about PINs that were, and of others.
func TestAttackPIN(t *testing.T) {
	t.Run("old PIN on an old copy of the disk", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := box{u: b.u, path: filepath.Join(t.TempDir(), "vault.json")}
		b.put(t, thief.path)
		b.changePIN(t, []byte("anotherpin"))
		wantCode(t, thief.open(t, thief.u), "tpm.wiped")
		b.mustOpen(t)
	})
	t.Run("officer who has left, old copy of the disk", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		anna, err := Unlocker{Device: b.u.Device, PIN: []byte("annas-pin"), Officer: "anna"}.Beside(b.params(t))
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), b.path, b.u)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Lock()
		if err := v.AddUnlock(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		if err := b.open(t, anna); err != nil {
			t.Fatal(err)
		}
		old := box{path: filepath.Join(t.TempDir(), "vault.json")}
		b.put(t, old.path)
		params, err := v.RemoveUnlock(vault.Way{Kind: Kind, Name: "anna"})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.u.ForgetWay(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.open(t, anna), "vault.unlocker")
		wantCode(t, old.open(t, anna), "tpm.wiped")
		b.mustOpen(t)
	})
	t.Run("one officer's PIN under another's name", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		anna, err := Unlocker{Device: b.u.Device, PIN: []byte("annas-pin"), Officer: "anna"}.Beside(b.params(t))
		if err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), b.path, b.u)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Lock()
		if err := v.AddUnlock(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		anna.PIN = pin
		wantCode(t, b.open(t, anna), "vault.pin")
	})
	t.Run("lockout says when it ends, and the tries before how many are left", func(t *testing.T) {
		b := newBox(t, newTPM(t))
		thief := b.u
		thief.PIN = []byte("000000")
		for left := maxTries - 1; left >= 1; left-- {
			err := b.open(t, thief)
			wantCode(t, err, "vault.pin")
			if want := " " + itoa(left) + " more"; !strings.Contains(fault.HintOf(err), want) {
				t.Fatalf("hint %q, want%s", fault.HintOf(err), want)
			}
		}
		wantCode(t, b.open(t, thief), "vault.pin")
		err := b.open(t, b.u)
		wantCode(t, err, "tpm.lockout")
		if !strings.Contains(fault.HintOf(err), "10m") {
			t.Errorf("hint %q does not say when", fault.HintOf(err))
		}
	})
}

func itoa(n int) string { return string(rune('0' + n)) }

// TestAttackBusRecording listens between the daemon and the chip, as a probe on
// the board does, and looks for what must not be there.
func TestAttackBusRecording(t *testing.T) {
	chip := newTPM(t)
	tap := newTap(t, strings.TrimPrefix(chip, "unix:"))
	b := box{u: Unlocker{Device: "unix:" + tap.address, PIN: pin}, path: filepath.Join(t.TempDir(), "vault.json")}
	b.create(t)
	b.mustOpen(t)
	key, err := b.u.Derive(t.Context(), b.params(t))
	if err != nil {
		t.Fatal(err)
	}
	p := b.decoded(t)
	said := tap.recorded()
	if len(said) < 2000 || !bytes.Contains(said, p.Private[:16]) {
		t.Fatalf("the tap recorded %d bytes and not the sealed object: it is no tap", len(said))
	}
	for name, secret := range map[string][]byte{
		"the sealed key": key, "half of it": key[:16], "the other half": key[16:],
		"the PIN": pin, "what the chip knows the PIN by": auth(pin, p.Salt),
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Contains(said, secret) {
				t.Fatalf("%s went over the bus in clear", name)
			}
		})
	}
	t.Run("recording played back", func(t *testing.T) {
		answers := tap.answers()
		l := listen(t)
		go func() { // the chip is gone; the recording answers in its place
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				command := make([]byte, maxAnswer)
				for _, a := range answers {
					if _, err := c.Read(command); err != nil {
						break
					}
					if _, err := c.Write(a); err != nil {
						break
					}
				}
				c.Close()
			}
		}()
		u := b.u
		u.Device = "unix:" + l.Addr().String()
		if err := b.open(t, u); err == nil {
			t.Fatal("opens by a recording")
		}
	})
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(swtpm.Dir(t), "tap"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// tap passes a chip's traffic on and records it.
type tap struct {
	address string
	mu      sync.Mutex
	all     []byte
	chip    [][]byte // answers of the last connection
}

func newTap(t testing.TB, to string) *tap {
	l := listen(t)
	p := &tap{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("unix", to)
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.chip = nil
			p.mu.Unlock()
			go func() { // until the daemon hangs up
				p.pass(d, c, false)
				d.Close()
			}()
			p.pass(c, d, true) // one user at a time, as swtpm has it
			c.Close()
		}
	}()
	return p
}

func (p *tap) pass(to io.Writer, from io.Reader, answer bool) {
	buf := make([]byte, maxAnswer)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		p.all = append(p.all, buf[:n]...)
		if answer && n > 0 {
			p.chip = append(p.chip, bytes.Clone(buf[:n]))
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *tap) recorded() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.all)
}

func (p *tap) answers() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chip
}

// TestAttackChipOfAThief answers as a chip that would open everything.
func TestAttackChipOfAThief(t *testing.T) {
	b := newBox(t, newTPM(t))
	for name, answer := range map[string][]byte{
		"says yes to all":  {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0},
		"empty answers":    {},
		"size of nothing":  {0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0},
		"size of the moon": {0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						command := make([]byte, maxAnswer)
						for {
							if _, err := c.Read(command); err != nil {
								return
							}
							if _, err := c.Write(answer); err != nil || len(answer) == 0 {
								return
							}
						}
					}()
				}
			}()
			u := b.u
			u.Device = "unix:" + l.Addr().String()
			err := b.open(t, u)
			if code := fault.CodeOf(err); code != "tpm.missing" && code != "tpm.failed" && code != "tpm.other" {
				t.Fatalf("%v", err)
			}
			if _, err := os.Stat(b.path); err != nil {
				t.Fatal(err)
			}
		})
	}
}
