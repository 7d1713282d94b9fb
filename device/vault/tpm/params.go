package tpm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// Forms of policy. A program that does not know a form refuses it.
const (
	policyPCR    = "pcr"    // the boot is the one of the enrolment
	policySigned = "signed" // the boot is one that the maker of the image has signed (PolicyAuthorize)
)

// maxBlob bounds each half of the sealed object in bytes; both take below 200.
const maxBlob = 1024

// maxParams bounds the parameters in bytes.
const maxParams = 8192

// params is what the vault file keeps in clear. Nothing in it is secret, and
// the chip, not this program, decides: changing a field makes the chip refuse.
type params struct {
	Policy  string `json:"policy"`             // "pcr" or "signed"
	BootKey []byte `json:"boot_key,omitempty"` // of "signed": P-256, uncompressed point
	PCRs    []uint `json:"pcrs"`               // of the SHA-256 bank
	PIN     bool   `json:"pin"`                // whether a PIN is part of the policy
	Salt    []byte `json:"salt"`               // 16 bytes, mixed into the PIN
	Parent  []byte `json:"parent"`             // name of the chip's storage key: which chip it is
	Public  []byte `json:"public"`             // sealed object, TPMT_PUBLIC
	Private []byte `json:"private"`            // sealed object, encrypted by the chip
	Epoch   index  `json:"epoch"`              // exists with this value for as long as the vault may open
	Starts  index  `json:"starts"`             // raised at each start; value at enrolment
	Lists   index  `json:"lists,omitzero"`     // raised with lists that must not be undone; value at enrolment; none in vaults of before
}

// index is an NV counter of the chip and a value of it.
type index struct {
	Handle uint32 `json:"handle"`
	Value  uint64 `json:"value"`
}

func (i index) valid() bool { return i.Handle >= firstIndex && i.Handle < firstIndex+indexes }

// damaged is what the vault file keeps for the chip, and is not as written.
func damaged(format string, args ...any) error {
	return fault.New("tpm.damaged", format, args...).
		WithHint("put the vault file back from its copy of this box")
}

func decodeParams(raw []byte) (*params, error) {
	if len(raw) > maxParams {
		return nil, damaged("parameters of %d bytes", len(raw))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	p := &params{}
	if err := dec.Decode(p); err != nil {
		return nil, damaged("read the parameters: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, damaged("the parameters go on after their end")
	}
	if p.Policy != policyPCR && p.Policy != policySigned {
		return nil, fault.New("tpm.format", "the sealed key has a form of policy that this program does not know")
	}
	if len(p.PCRs) == 0 || len(p.PCRs) > 24 || len(p.Salt) != saltSize || len(p.Parent) != nameSize ||
		len(p.Public) > maxBlob || len(p.Private) > maxBlob || len(p.Private) == 0 ||
		!p.Epoch.valid() || !p.Starts.valid() || p.Epoch.Handle == p.Starts.Handle ||
		p.Lists != (index{}) && (!p.Lists.valid() || p.Lists.Handle == p.Epoch.Handle || p.Lists.Handle == p.Starts.Handle) {
		return nil, damaged("parameters out of bounds")
	}
	for _, pcr := range p.PCRs {
		if pcr > 23 {
			return nil, damaged("a register out of bounds")
		}
	}
	if p.Policy == policySigned {
		if _, err := bootKeyPublic(p.BootKey); err != nil {
			return nil, err
		}
	}
	if _, err := p.public(); err != nil {
		return nil, err
	}
	return p, nil
}

// public reads the sealed object's public half.
func (p *params) public() (*tpm2.TPMTPublic, error) {
	pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](p.Public)
	if err != nil {
		return nil, damaged("read the sealed object: %w", err)
	}
	if pub.Type != tpm2.TPMAlgKeyedHash || pub.NameAlg != tpm2.TPMAlgSHA256 || len(pub.AuthPolicy.Buffer) != 32 ||
		!bytes.Equal(tpm2.Marshal(pub), p.Public) {
		return nil, damaged("the sealed object is of another kind")
	}
	return pub, nil
}
