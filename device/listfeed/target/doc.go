// Package target is the form of what a feed carries: the names in a
// repository, the manifests that two of an owner sign through TUF metadata
// (The Update Framework, specification 1.0.31), sealed chunks, the owner's list
// of devices, segments of urgent changes, and bundles.
//
//	metadata/N.root.json        every version of the root
//	metadata/timestamp.json     the newest, short-lived
//	metadata/N.snapshot.json
//	metadata/N.targets.json     who may sign what
//	metadata/N.OWNER.json       one owner's targets, signed by two of his
//	objects/HH/HASH             a manifest, a sealed chunk or a sealed segment
//
// A target's path is OWNER/KIND/NAME. Everything that is read here may come
// from an enemy until its hash has been found in signed metadata, and what is
// sealed may come from a signer who has turned: sizes and counts are bounded
// before anything is allocated.
package target

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits of what is read, in bytes unless said.
const (
	MaxManifest  = 1 << 20  // a manifest, a list of devices, an index of segments (design section 9)
	MaxMetadata  = 1 << 20  // one TUF metadata file
	MaxTimestamp = 16 << 10 // the timestamp, which is asked for most
	ChunkSize    = 4 << 20  // plain bytes of a chunk; the last of a file is shorter
	MaxSealed    = ChunkSize + 28
	MaxFiles     = 4096    // of one target
	MaxTotal     = 1 << 40 // of one target
	MaxRoots     = 64      // new roots taken in one refresh
	MaxChanges   = 10_000  // of one segment
	MaxSegments  = 4096    // of one generation
	// All segments of one generation, sealed: a post holds them in memory.
	MaxSegmentBytes = 64 << 20
	MaxBundle       = 8 << 20 // a bundle
)

// Format is the version of the forms here.
const Format = 1

// Sum is a SHA-256 hash.
type Sum [sha256.Size]byte

// SumOf returns the hash of raw.
func SumOf(raw []byte) Sum { return sha256.Sum256(raw) }

// String returns the hash in hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return formatError("a hash has 64 hex digits")
	}
	if _, err := hex.Decode(s[:], text); err != nil {
		return formatError("a hash has 64 hex digits")
	}
	return nil
}

// Names in a repository.
const TimestampName = "metadata/timestamp.json"

// RoleName is the name of a version of a role's metadata.
func RoleName(role string, version int64) string {
	return "metadata/" + strconv.FormatInt(version, 10) + "." + role + ".json"
}

// ObjectName is the name of a manifest, chunk or segment.
func ObjectName(s Sum) string {
	h := s.String()
	return "objects/" + h[:2] + "/" + h
}

var nameForm = regexp.MustCompile(`^(metadata/(timestamp|[1-9][0-9]{0,17}\.[a-z0-9][a-z0-9_.-]{0,63})\.json|objects/[0-9a-f]{2}/[0-9a-f]{64})$`)

// ValidName reports whether name can be one of a repository.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Kind says what a target decides. Published words; a post refuses what it
// does not know, since it could not enforce it.
type Kind string

// Kinds of targets.
const (
	KindList       Kind = "list"       // a generation of a watchlist
	KindSegment    Kind = "segment"    // index of urgent changes to a generation
	KindDevices    Kind = "devices"    // who gets the key of NAME
	KindTrust      Kind = "trust"      // trust anchors, CRLs and deviation lists, as one store
	KindAnchors    Kind = "anchors"    // trust anchors alone
	KindCRL        Kind = "crl"        // certificate revocation lists alone
	KindDeviation  Kind = "deviation"  // deviation lists alone
	KindPolicy     Kind = "policy"     // policy of a post, its thresholds included
	KindThresholds Kind = "thresholds" // thresholds alone
	KindAccounts   Kind = "accounts"   // officers and their revocation
	KindModels     Kind = "models"     // models of engines
)

// Known reports whether this program knows the kind.
func (k Kind) Known() bool {
	switch k {
	case KindList, KindSegment, KindDevices:
		return true
	}
	return k.Single()
}

// Single reports whether a post takes the kind from one owner only: two who
// could both sign a policy would be two policies.
func (k Kind) Single() bool {
	switch k {
	case KindTrust, KindAnchors, KindCRL, KindDeviation, KindPolicy, KindThresholds, KindAccounts, KindModels:
		return true
	}
	return false
}

// Path names a target.
type Path struct {
	Owner string // the delegated role
	Kind  Kind
	Name  string // the list, the site
}

var partForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// ValidPart reports whether s can be an owner or a name in a path.
func ValidPart(s string) bool { return partForm.MatchString(s) }

// String returns OWNER/KIND/NAME.
func (p Path) String() string { return p.Owner + "/" + string(p.Kind) + "/" + p.Name }

// ParsePath reads OWNER/KIND/NAME. An unknown kind is no error here.
func ParsePath(s string) (Path, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || !ValidPart(parts[0]) || !ValidPart(parts[1]) || !ValidPart(parts[2]) {
		return Path{}, fault.New("listfeed.path", "a target is named OWNER/KIND/NAME")
	}
	return Path{parts[0], Kind(parts[1]), parts[2]}, nil
}

// ErrFormat says that a manifest, list of devices, segment or bundle is not of
// its form.
var ErrFormat = &fault.Error{Code: "listfeed.format"}

func formatError(format string, args ...any) error {
	return fault.New("listfeed.format", format, args...)
}

// strict reads JSON with the keys of its form and no others, at most limit
// bytes.
func strict(raw []byte, limit int, into any) error {
	if len(raw) > limit {
		return fault.New("listfeed.too_large", "%d bytes, at most %d", len(raw), limit)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return formatError("unknown key or malformed JSON near byte %d", dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return formatError("bytes after the end")
	}
	return nil
}
