package pkd

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/watchpost/watchpost/device/fault"
)

func TestParseURL(t *testing.T) {
	for url, want := range map[string]string{
		"ldap://host":                      "ldap://host:389/" + DefaultBase,
		"ldaps://Host/":                    "ldaps://host:636/" + DefaultBase,
		"ldap://10.0.0.1:1389/c=UT,dc=pkd": "ldap://10.0.0.1:1389/c=UT,dc=pkd",
		"ldaps://[::1]:6360/dc=a%20b":      "ldaps://[::1]:6360/dc=a b",
	} {
		got, err := ParseURL(url)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", url, got, err)
		}
	}
	for _, url := range []string{"", "host", "http://host", "ldapi:///", "ldap://", "ldap://user:secret@host", "ldap://host/dc=a?cn?sub", "ldap://host/#x", "ldap://host/not a name", "ldap://host:port/"} {
		if got, err := ParseURL(url); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v, %v", url, got, err)
		}
	}
}

func TestVersions(t *testing.T) {
	for want, e := range map[string]*ldap.Entry{
		"pkdversion:7":               ldap.NewEntry("cn=a", map[string][]string{"PKDVERSION": {"7"}, "modifyTimestamp": {"x"}}),
		"modifytimestamp:2026010100": ldap.NewEntry("cn=a", map[string][]string{"modifyTimestamp": {"2026010100"}}),
		"":                           ldap.NewEntry("cn=a", nil),
	} {
		if got := versionOf(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for version, ok := range map[string]bool{"pkdversion:12": true, "pkdversion:-1": false, "pkdversion:x": false, "modifytimestamp:12": false, "": false} {
		if _, got := number(version); got != ok {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestOneDownloadAtATime(t *testing.T) {
	dir := t.TempDir()
	release, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	release()
	if again, err := lock(dir); err != nil {
		t.Error(err)
	} else {
		again()
	}
}

func TestDamagedState(t *testing.T) {
	for name, content := range map[string]string{"no JSON": "{", "another version": `{"version":2}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(dir); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A server that is slow but goes on is not given up: the limit is on silence.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall, entries = time.Second, 6
		client, server := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.CopyN(io.Discard, server, 1) // the request begins
			go func() { _, _ = io.Copy(io.Discard, server) }()
			for range entries {
				_, _ = server.Write([]byte{0x30, 0x0D, 0x02, 0x01, 0x01, 0x64, 0x08, 0x04, 0x04, 'c', 'n', '=', 'a', 0x30, 0x00})
				time.Sleep(stall - time.Millisecond)
			}
			_, _ = server.Write([]byte{0x30, 0x0C, 0x02, 0x01, 0x01, 0x65, 0x07, 0x0A, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00})
		}()
		s := newSession(client, Target{Base: "dc=a"}, Limits{Stall: stall}.withDefaults())
		came, begun := 0, time.Now()
		err := s.all(t.Context(), filter(), versions, func(*ldap.Entry) error { came++; return nil })
		if err != nil || came != entries || time.Since(begun) < 5*stall {
			t.Errorf("%d entries in %s, %v", came, time.Since(begun), err)
		}
		s.close()
		_ = server.Close()
		<-ended
	})
}

// No octets that a server may send can panic the client or keep it.
func FuzzServer(f *testing.F) {
	f.Add([]byte{0x30, 0x0C, 0x02, 0x01, 0x01, 0x65, 0x07, 0x0A, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00})
	f.Add([]byte{0x30, 0x11, 0x02, 0x01, 0x01, 0x64, 0x0C, 0x04, 0x04, 'c', 'n', '=', 'a', 0x30, 0x04, 0x30, 0x02, 0x04, 0x00})
	f.Add([]byte{0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, raw []byte) {
		client, server := net.Pipe()
		go func() {
			_, _ = io.CopyN(io.Discard, server, 1) // the request begins
			go func() { _, _ = io.Copy(io.Discard, server) }()
			_, _ = server.Write(raw)
			_ = server.Close()
		}()
		limits := Limits{MessageBytes: 1 << 16, TotalBytes: 1 << 20, Entries: 10, Stall: time.Second}.withDefaults()
		s := newSession(client, Target{Base: "dc=a"}, limits)
		defer s.close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		entries := 0
		err := s.all(ctx, filter(), versions, func(e *ldap.Entry) error {
			entries++
			_ = versionOf(e)
			return nil
		})
		if err != nil && fault.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if entries > 10 {
			t.Errorf("%d entries", entries)
		}
	})
}

// Borders of messages are found alike however the octets are cut.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x01, 0x30, 0x81, 0x01, 0x00}, uint8(2))
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		whole, parts := framed{message: 1 << 12, total: 1 << 20}, framed{message: 1 << 12, total: 1 << 20}
		want := whole.follow(raw)
		n := min(int(cut), len(raw))
		got := parts.follow(raw[:n])
		if got == nil {
			got = parts.follow(raw[n:])
		}
		if fault.CodeOf(got) != fault.CodeOf(want) || want == nil && (whole.left != parts.left || len(whole.header) != len(parts.header)) {
			t.Errorf("%v and %v", want, got)
		}
	})
}

// What a crash or a hand left in the spool is read or ignored, never trusted
// to be whole.
func FuzzSpool(f *testing.F) {
	f.Add([]byte("{\"dn\":\"cn=a\",\"version\":\"pkdversion:1\",\"values\":[]}\n{\"dn\""))
	f.Add([]byte("{\"dn\":\"cn=a\"}"))
	f.Add([]byte("{\"dn\":\"cn=a\"}\r\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		s, err := openSpool(dir, Target{})
		if err != nil {
			t.Fatal(err)
		}
		s.close()
		if err := os.WriteFile(s.path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err = openSpool(dir, Target{}); err != nil {
			t.Skip()
		}
		if err := s.add(&fetched{Name: "cn=b"}); err != nil {
			t.Fatal(err)
		}
		s.close()
		if s, err = openSpool(dir, Target{}); err != nil || s.entries["cn=b"] == nil {
			t.Errorf("an entry added is lost: %v", err)
		}
		s.close()
	})
}
