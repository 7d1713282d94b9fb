package witness

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxRequest bounds the body of add-checkpoint in bytes: the longest proof and
// the longest head.
const MaxRequest = 32 + MaxProof*45 + 1 + checkpoint.MaxBytes

// ErrRequest says that bytes are no body of add-checkpoint.
var ErrRequest = &fault.Error{Code: "audit.request"}

// Encode writes the body of add-checkpoint (c2sp.org/tlog-witness).
func (s Submission) Encode() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", s.From)
	for _, h := range s.Proof {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(s.Head)
	return []byte(b.String())
}

// Decode reads the body of add-checkpoint. It looks into the head no further
// than its form.
func Decode(raw []byte) (Submission, error) {
	bad := fault.New(ErrRequest.Code, "not a body of add-checkpoint")
	if len(raw) > MaxRequest {
		return Submission{}, bad
	}
	before, head, ok := strings.Cut(string(raw), "\n\n")
	if !ok {
		return Submission{}, bad
	}
	lines := strings.Split(before, "\n")
	from, ok := strings.CutPrefix(lines[0], "old ")
	n, err := strconv.ParseInt(from, 10, 64)
	if !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != from || len(lines)-1 > MaxProof {
		return Submission{}, bad
	}
	s := Submission{Head: []byte(head), From: n}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return Submission{}, bad
		}
		s.Proof = append(s.Proof, tlog.Hash(h))
	}
	if _, err := checkpoint.Parse(s.Head); err != nil {
		return Submission{}, err
	}
	return s, nil
}
