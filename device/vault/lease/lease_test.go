package lease

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
}

// site is a releaser, a gate, and the wire between them, which an attacker may
// hold.
type site struct {
	t        *testing.T
	releaser Releaser
	path     string
	now      time.Duration
	reg      *Registration
	sent     [][]byte // requests, as an attacker on the wire sees them
	came     [][]byte // leases
	refuse   error
	answer   func(lease []byte) []byte // what an attacker makes of a lease
}

// boxHalf stands for the box's TPM, which central_test.go has for real.
type boxHalf string

func (boxHalf) Kind() string                                   { return "half" }
func (boxHalf) Enrol(context.Context) (json.RawMessage, error) { return json.RawMessage("{}"), nil }
func (h boxHalf) Derive(context.Context, json.RawMessage) ([]byte, error) {
	sum := sha256.Sum256([]byte(h))
	return sum[:], nil
}

func newReleaser(t testing.TB) Releaser {
	t.Helper()
	_, sign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	open, err := kem().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return Releaser{SignWith: sign, OpenWith: open, Life: time.Hour}
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, releaser: newReleaser(t), path: filepath.Join(t.TempDir(), "vault.json"), now: time.Hour}
	u := s.way()
	defer u.Close()
	v, err := vault.Create(t.Context(), s.path, u)
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	if left, life := u.Left(); left != 0 || life != 0 {
		t.Fatalf("a lease of %v out of %v before anybody gave one", left, life)
	}
	word, err := u.Registration().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s.reg, err = DecodeRegistration(word); err != nil {
		t.Fatal(err)
	}
	if err := s.releaser.Check(s.reg); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) way() *Unlocker {
	return New(Options{
		Post: "gate-7", Local: boxHalf("the half of the box"), Releaser: s.releaser.SignWith.Public().(ed25519.PublicKey),
		SealTo: s.releaser.OpenWith.PublicKey().Bytes(), Ask: s.ask, Clock: func() time.Duration { return s.now },
	})
}

func (s *site) ask(_ context.Context, boot ed25519.PrivateKey, request []byte) ([]byte, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	if !bytes.Equal(boot.Public().(ed25519.PublicKey), s.reg.BootKey) {
		s.t.Error("asked by another key than the registered one")
	}
	s.sent = append(s.sent, request)
	q, err := DecodeRequest(request)
	if err != nil {
		return nil, err
	}
	out, err := s.releaser.Release(s.reg, q)
	if err != nil {
		return nil, err
	}
	s.came = append(s.came, out)
	if s.answer != nil {
		out = s.answer(out)
	}
	return out, nil
}

// boot opens the vault as at power on.
func (s *site) boot() (*Unlocker, error) {
	s.t.Helper()
	u := s.way()
	v, err := vault.Open(s.t.Context(), s.path, u)
	if err != nil {
		u.Close()
		return nil, err
	}
	v.Lock()
	s.t.Cleanup(u.Close)
	return u, nil
}

func (s *site) mustBoot() *Unlocker {
	s.t.Helper()
	u, err := s.boot()
	if err != nil {
		s.t.Fatalf("the rightful way in is shut: %v", err)
	}
	return u
}

func TestLeaseLife(t *testing.T) {
	s := newSite(t)
	u := s.mustBoot()
	if left, life := u.Left(); left != time.Hour || life != time.Hour {
		t.Fatalf("%v of %v are left straight after the boot", left, life)
	}
	s.now += 40 * time.Minute
	if left, _ := u.Left(); left != 20*time.Minute {
		t.Fatalf("%v left after 40 minutes of an hour", left)
	}
	s.refuse = fault.New("link.not_asked", "link down").AsRetryable()
	wantCode(t, u.Renew(t.Context()), "link.not_asked")
	if left, _ := u.Left(); left != 20*time.Minute {
		t.Fatal("a renewal that failed changed the lease")
	}
	s.refuse = nil
	if err := u.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := u.Left(); left != time.Hour {
		t.Fatalf("%v left after the renewal", left)
	}
	var renewal Request
	if err := json.Unmarshal(s.sent[len(s.sent)-1], &renewal); err != nil || renewal.SealTo != nil {
		t.Errorf("a renewal asks for the half: %v", err)
	}
	s.now += time.Hour
	if left, _ := u.Left(); left > 0 {
		t.Error("a lease that has run out has time left")
	}
	u.Close()
	wantCode(t, u.Renew(t.Context()), "vault.locked")
}

func TestNothingPrintsTheLease(t *testing.T) {
	s := newSite(t)
	u := s.mustBoot()
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(f, u); got != "[lease]" {
			t.Errorf("%s prints %q", f, got)
		}
	}
}

// TestAttackLease is what somebody on the wire, with the disk or with another
// box tries to open a gate without its releaser.
func TestAttackLease(t *testing.T) {
	t.Run("carried away: nobody answers", func(t *testing.T) {
		s := newSite(t)
		s.refuse = fault.New("link.not_asked", "no network").AsRetryable()
		_, err := s.boot()
		wantCode(t, err, "link.not_asked")
	})
	t.Run("reported missing", func(t *testing.T) {
		s := newSite(t)
		u := s.mustBoot()
		s.refuse = ErrMissing
		wantCode(t, u.Renew(t.Context()), "link.missing")
		_, err := s.boot()
		wantCode(t, err, "link.missing")
	})
	t.Run("expired on the way", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte { s.now += time.Hour; return lease }
		_, err := s.boot()
		wantCode(t, err, "lease.expired")
	})
	t.Run("lease of an earlier boot replayed", func(t *testing.T) {
		s := newSite(t)
		s.mustBoot()
		old := s.came[0]
		s.answer = func([]byte) []byte { return old }
		_, err := s.boot()
		wantCode(t, err, "lease.replayed")
	})
	t.Run("renewal replayed", func(t *testing.T) {
		s := newSite(t)
		u := s.mustBoot()
		if err := u.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := s.came[1]
		s.answer = func([]byte) []byte { return old }
		wantCode(t, u.Renew(t.Context()), "lease.replayed")
	})
	t.Run("renewal shown as the lease of a boot", func(t *testing.T) {
		s := newSite(t)
		s.answer = func([]byte) []byte {
			q, err := DecodeRequest(s.sent[0])
			if err != nil {
				t.Fatal(err)
			}
			q.SealTo = nil // so that it carries no half
			out, err := s.releaser.Release(s.reg, q)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		_, err := s.boot()
		wantCode(t, err, "lease.forged")
	})
	t.Run("lease of another post", func(t *testing.T) {
		s, other := newSite(t), newSite(t)
		s.answer = func([]byte) []byte {
			q, err := DecodeRequest(s.sent[0])
			if err != nil {
				t.Fatal(err)
			}
			q.Post, other.reg.Post = "gate-8", "gate-8"
			out, err := (&Releaser{SignWith: s.releaser.SignWith, OpenWith: other.releaser.OpenWith, Life: time.Hour}).Release(&Registration{Post: "gate-8"}, &Request{Post: "gate-8", Nonce: q.Nonce})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		_, err := s.boot()
		wantCode(t, err, "lease.post")
	})
	t.Run("signed by another key", func(t *testing.T) {
		s, thief := newSite(t), newReleaser(t)
		own := s.releaser.SignWith
		s.answer = func([]byte) []byte {
			q, err := DecodeRequest(s.sent[len(s.sent)-1])
			if err != nil {
				t.Fatal(err)
			}
			r := Releaser{SignWith: thief.SignWith, OpenWith: s.releaser.OpenWith, Life: time.Hour}
			out, err := r.Release(s.reg, q)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		_, err := s.boot()
		wantCode(t, err, "lease.forged")
		s.answer, s.releaser.SignWith = nil, own
		s.mustBoot()
	})
	t.Run("life lengthened", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte { return tamper(t, lease, func(x *terms) { x.Seconds *= 10 }) }
		_, err := s.boot()
		wantCode(t, err, "lease.forged")
	})
	t.Run("life beyond the longest, signed", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte {
			return s.resign(tamper(t, lease, func(x *terms) { x.Seconds = uint32(MaxLife/time.Second) + 1 }))
		}
		_, err := s.boot()
		wantCode(t, err, "lease.form")
	})
	t.Run("no life, signed", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte { return s.resign(tamper(t, lease, func(x *terms) { x.Seconds = 0 })) }
		_, err := s.boot()
		wantCode(t, err, "lease.form")
	})
	t.Run("another half, signed", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte {
			q, err := DecodeRequest(s.sent[0])
			if err != nil {
				t.Fatal(err)
			}
			to, err := kem().NewPublicKey(q.SealTo)
			if err != nil {
				t.Fatal(err)
			}
			half, err := hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), halfInfo(q.Post, q.Nonce), make([]byte, vault.KeySize))
			if err != nil {
				t.Fatal(err)
			}
			return s.resign(tamper(t, lease, func(x *terms) { x.Half = half }))
		}
		_, err := s.boot()
		wantCode(t, err, "vault.open")
	})
	t.Run("half of the box exchanged", func(t *testing.T) {
		s := newSite(t)
		u := New(Options{Post: "gate-7", Local: boxHalf("another half"), Releaser: s.releaser.SignWith.Public().(ed25519.PublicKey), Clock: func() time.Duration { return s.now },
			Ask: func(ctx context.Context, _ ed25519.PrivateKey, request []byte) ([]byte, error) {
				q, err := DecodeRequest(request)
				if err != nil {
					return nil, err
				}
				return s.releaser.Release(s.reg, q)
			}})
		_, err := vault.Open(t.Context(), s.path, u)
		wantCode(t, err, "vault.open")
	})
	t.Run("vault of another post", func(t *testing.T) {
		s := newSite(t)
		u := New(Options{Post: "gate-8", Local: boxHalf("the half of the box"), Ask: s.ask})
		_, err := vault.Open(t.Context(), s.path, u)
		wantCode(t, err, "lease.post")
	})
	t.Run("half of the box by passphrase alone", func(t *testing.T) {
		s := newSite(t)
		_, err := vault.Open(t.Context(), s.path, vault.Passphrase("the half of the box"))
		wantCode(t, err, "vault.unlocker")
	})
	t.Run("truncated", func(t *testing.T) {
		s := newSite(t)
		s.answer = func(lease []byte) []byte { return lease[:len(lease)-1] }
		_, err := s.boot()
		wantCode(t, err, "lease.form")
	})
	t.Run("registration at another releaser", func(t *testing.T) {
		s, other := newSite(t), newReleaser(t)
		wantCode(t, other.Check(s.reg), "lease.forged")
	})
	t.Run("registration under another boot key", func(t *testing.T) {
		s := newSite(t)
		reg := *s.reg
		reg.BootKey = bytes.Repeat([]byte{1}, 32)
		wantCode(t, s.releaser.Check(&reg), "lease.forged")
	})
	t.Run("what went over the wire opens nothing", func(t *testing.T) {
		s := newSite(t)
		s.mustBoot()
		// The half was sealed to a key that lived for one request: whoever has
		// the releaser's own keys and the recording still lacks it.
		var in signed
		var x terms
		if err := json.Unmarshal(s.came[0], &in); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(in.Terms, &x); err != nil {
			t.Fatal(err)
		}
		if _, err := hpke.Open(s.releaser.OpenWith, hpke.HKDFSHA256(), hpke.AES256GCM(), halfInfo(x.Post, x.Nonce), x.Half); err == nil {
			t.Fatal("the recording opens by the releaser's key")
		}
	})
}

// tamper changes the terms of a lease and leaves its signature.
func tamper(t testing.TB, lease []byte, change func(*terms)) []byte {
	t.Helper()
	var s signed
	var x terms
	if err := json.Unmarshal(lease, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.Terms, &x); err != nil {
		t.Fatal(err)
	}
	change(&x)
	var err error
	if s.Terms, err = json.Marshal(x); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// resign signs a lease's terms as the releaser would.
func (s *site) resign(lease []byte) []byte {
	var in signed
	if err := json.Unmarshal(lease, &in); err != nil {
		s.t.Fatal(err)
	}
	in.Signature = ed25519.Sign(s.releaser.SignWith, append([]byte(signContext), in.Terms...))
	out, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func FuzzLease(f *testing.F) {
	r := newReleaser(f)
	p, err := newPending("gate-7", true, func() time.Duration { return 0 })
	if err != nil {
		f.Fatal(err)
	}
	good, err := r.Release(&Registration{Post: "gate-7"}, &p.request)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"terms":"e30=","signature":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := p.Open(raw, r.SignWith.Public().(ed25519.PublicKey))
		if (g == nil) == (err == nil) || err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("%v, %v", g, err)
		}
		if g != nil && g.life != time.Hour {
			t.Fatalf("a lease of %v that nobody gave", g.life)
		}
	})
}

func FuzzRegistration(f *testing.F) {
	r := Registration{Post: "gate-7", BootKey: make([]byte, 32), Half: make([]byte, sealedHalf)}
	word, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(word)
	f.Add("e30")
	f.Fuzz(func(t *testing.T, word string) {
		got, err := DecodeRegistration(word)
		if (got == nil) == (err == nil) || err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"post":"gate-7","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := DecodeRequest(raw)
		if (got == nil) == (err == nil) || err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"post":"gate-7","kind":"tpm","local":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, err := Local(raw); err != nil && fault.CodeOf(err) != "vault.damaged" {
			t.Fatal(err)
		}
	})
}
