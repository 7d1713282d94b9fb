// Package officer knows who may work at a post: accounts with roles and an
// expiry that work without a link, and the check of a password.
//
// Accounts come in a provisioning folder signed by two; a post never makes
// one, and there is no built-in account.
package officer

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/fault"
)

// Version is the version of the accounts form.
const Version = 1

// MaxBytes is the largest accounts file read.
const MaxBytes = 4 << 20

// Role is what an officer may do.
type Role string

// Roles.
const (
	Officer       Role = "officer"       // screens and decides
	Supervisor    Role = "supervisor"    // confirms as a second officer, reads reports
	Administrator Role = "administrator" // devices and provisioning; cannot search
	Auditor       Role = "auditor"       // reads the audit log
)

// Account is one officer. It holds personal data: it logs its id only.
type Account struct {
	ID       string    `json:"id"`   // in audit lines
	Name     string    `json:"name"` // shown on the page
	Roles    []Role    `json:"roles"`
	Password string    `json:"password"` // argon2id, as written by HashPassword
	Expires  time.Time `json:"expires"`  // no sign-in at or after this
	// Revoked ends the account early, at or after this; zero does not. A
	// revoked account stays in the file, so that its id is not given again.
	Revoked time.Time `json:"revoked,omitzero"`
}

// LogValue keeps the name and the password hash out of logs.
func (a Account) LogValue() slog.Value { return slog.StringValue("account " + a.ID) }

// String keeps the name and the password hash out of the fmt verbs.
func (a Account) String() string { return "account " + a.ID }

// Need returns nil if a holds one of the roles, ErrRole if not.
func (a *Account) Need(roles ...Role) error {
	if !slices.ContainsFunc(roles, a.Has) {
		return ErrRole
	}
	return nil
}

// Has reports whether a holds role.
func (a *Account) Has(role Role) bool { return slices.Contains(a.Roles, role) }

// Accounts are all officers of a post. They are read once and never changed,
// and safe for concurrent use.
type Accounts struct {
	Version  int       `json:"version"`
	Edition  int       `json:"edition"`
	Accounts []Account `json:"accounts"`
}

// Errors of signing in, and of what an account may do. Which of id and password was wrong is not said.
var (
	ErrRefused = &fault.Error{Code: "officer.refused", Hint: "check the name and the password"}
	ErrRevoked = &fault.Error{Code: "officer.revoked", Hint: "the account was revoked: ask the administrator"}
	ErrRole    = &fault.Error{Code: "officer.role", Hint: "this needs another role"}
	ErrExpired = &fault.Error{Code: "officer.expired", Hint: "the account has run out: ask the administrator for a new edition of the accounts"}
)

// idForm keeps names out of ids: they are in every audit line.
var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Decode reads an accounts file. Unknown keys, doubled ids, unknown roles and
// passwords that are not argon2id are refused.
func Decode(raw []byte) (*Accounts, error) {
	if len(raw) > MaxBytes {
		return nil, fault.New("officer.too_large", "%d bytes, at most %d", len(raw), MaxBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	a := new(Accounts)
	if err := dec.Decode(a); err != nil {
		return nil, fault.New("officer.format", "accounts: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New("officer.format", "accounts: something follows the accounts")
	}
	if a.Version != Version {
		return nil, fault.New("officer.version", "version %d, this program reads %d", a.Version, Version)
	}
	ids := make(map[string]bool)
	for i, acc := range a.Accounts {
		if !idForm.MatchString(acc.ID) || acc.ID == "post" || ids[acc.ID] {
			return nil, fault.New("officer.id", "account %d: the id has another form, is reserved or doubled", i)
		}
		ids[acc.ID] = true
		if len(acc.Roles) == 0 {
			return nil, fault.New("officer.role", "account %d has no role", i)
		}
		for _, r := range acc.Roles {
			switch r {
			case Officer, Supervisor, Administrator, Auditor:
			default:
				return nil, fault.New("officer.role", "account %d: there is no role %q", i, r)
			}
		}
		h, err := parseHash(acc.Password)
		if err != nil {
			return nil, fault.New("officer.password_form", "account %d: %w", i, err)
		}
		if h.memory < leastMemory || h.time < leastTime {
			return nil, fault.New("officer.password_weak", "account %d: the password was hashed too cheaply", i).WithHint("hash it anew: watchpost officer hash")
		}
	}
	return a, nil
}

// SignIn returns the account of id if password is its and it has not run out
// at now. It takes as long for an unknown id as for a wrong password.
func (a *Accounts) SignIn(id, password string, now time.Time) (*Account, error) {
	found, encoded := a.Find(id), ""
	if found != nil {
		encoded = found.Password
	}
	if !PasswordIs(encoded, password) || found == nil {
		return nil, ErrRefused
	}
	if err := found.InForce(now); err != nil {
		return nil, err
	}
	return found, nil
}

// InForce returns nil if the account may be used at now, ErrRevoked or
// ErrExpired if not. Every way of signing in asks it.
func (a *Account) InForce(now time.Time) error {
	if !a.Revoked.IsZero() && !now.Before(a.Revoked) {
		return ErrRevoked
	}
	if !now.Before(a.Expires) {
		return ErrExpired
	}
	return nil
}

// Find returns the account of id, nil where there is none.
func (a *Accounts) Find(id string) *Account {
	for i := range a.Accounts {
		if a.Accounts[i].ID == id {
			return &a.Accounts[i]
		}
	}
	return nil
}

// Cost of a password: RFC 9106 (September 2021), section 4, second recommended
// option, for machines that cannot spare 2 GiB.
const (
	costTime    = 3
	costMemory  = 64 << 10 // KiB
	costThreads = 4
	keyBytes    = 32
	saltBytes   = 16

	// A file hashed more cheaply than this is refused: OWASP Password Storage
	// Cheat Sheet (2024), second of its equivalent minimums for argon2id.
	leastMemory = 19 << 10 // KiB
	leastTime   = 2
)

type hash struct {
	time    uint32
	memory  uint32 // KiB
	threads uint8
	salt    []byte
	key     []byte
}

var dummyHash = hash{costTime, costMemory, costThreads, make([]byte, saltBytes), make([]byte, keyBytes)}

// HashPassword returns password in the PHC string form of argon2id,
// "$argon2id$v=19$m=...,t=...,p=...$salt$key".
func HashPassword(password string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	key := argon2.IDKey([]byte(password), salt, costTime, costMemory, costThreads, keyBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, costMemory, costTime, costThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// PasswordIs reports whether password is the one that encoded was made of by
// HashPassword. For what is no such form, as "" of somebody unknown, it takes
// as long as for a wrong password and reports false.
func PasswordIs(encoded, password string) bool {
	h, err := parseHash(encoded)
	if err != nil {
		h = dummyHash
	}
	got := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1 && err == nil
}

func parseHash(s string) (hash, error) {
	bad := fault.New("officer.password_form", "the password is not in the argon2id form")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, bad
	}
	var h hash
	var threads uint32
	for _, f := range strings.Split(parts[3], ",") {
		name, value, _ := strings.Cut(f, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return hash{}, bad
		}
		switch name {
		case "m":
			h.memory = uint32(n)
		case "t":
			h.time = uint32(n)
		case "p":
			threads = uint32(n)
		default:
			return hash{}, bad
		}
	}
	// A hostile file must not make a sign-in take all memory.
	if h.memory < 8 || h.memory > 1<<20 || h.time < 1 || h.time > 16 || threads < 1 || threads > 16 {
		return hash{}, bad
	}
	h.threads = uint8(threads)
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return hash{}, bad
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return hash{}, bad
	}
	return h, nil
}
