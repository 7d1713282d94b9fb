package tpm

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"os"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// BootFile is the name of the signed boots in a post's state folder: JSON
// Lines, one SignedBoot each.
const BootFile = "boot.jsonl"

// Limits of the file of signed boots.
const (
	maxBootFile = 64 << 10 // bytes
	maxBootLine = 4 << 10  // bytes
)

// bootRef is the qualifier under which boots are signed: a signature made for
// another purpose does not approve a boot.
const bootRef = "watchpost/boot/1"

// BootPCRs are the registers a vault is sealed under: 7, the firmware's
// settings and whose signatures it takes, and 11, the image (TCG PC Client
// Platform Firmware Profile, 2021; systemd-stub).
func BootPCRs() []uint { return []uint{7, 11} }

// SignedBoot is one boot that the image's maker approves: the digest of
// PolicyPCR over its registers, and ECDSA P-256 with SHA-256 over that digest
// and the qualifier, as TPM2_PolicyAuthorize wants it (Part 3, section 23.16).
type SignedBoot struct {
	Image     string `json:"image"`     // for people: name and version of the image
	Policy    []byte `json:"policy"`    // 32 bytes
	Signature []byte `json:"signature"` // ASN.1 DER
}

// SignBoot approves the boot that leaves the given values in BootPCRs, 32
// bytes each, in that order.
func SignBoot(key *ecdsa.PrivateKey, image string, values ...[]byte) (*SignedBoot, error) {
	if key.Curve != elliptic.P256() {
		return nil, fault.New("tpm.boot_key", "boots are signed by a key on P-256")
	}
	if len(values) != len(BootPCRs()) {
		return nil, fault.New("tpm.boot_values", "%d values for %d registers", len(values), len(BootPCRs()))
	}
	for _, v := range values {
		if len(v) != sha256.Size {
			return nil, fault.New("tpm.boot_values", "a register has %d bytes, not %d", sha256.Size, len(v))
		}
	}
	b := &SignedBoot{Image: image, Policy: pcrPolicy(BootPCRs(), values)}
	digest := approval(b.Policy)
	var err error
	b.Signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:])
	return b, fault.Wrap("tpm.boot_key", err)
}

func approval(policy []byte) [32]byte { return sha256.Sum256(append(bytes.Clone(policy), bootRef...)) }

// pcrPolicy is the digest of a policy that is PolicyPCR alone (Part 3, section
// 23.7), computed without a chip.
func pcrPolicy(pcrs []uint, values [][]byte) []byte {
	h := sha256.New()
	for _, v := range values {
		h.Write(v)
	}
	selected := h.Sum(nil)
	h.Reset()
	h.Write(make([]byte, sha256.Size))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMCCPolicyPCR)))
	h.Write(tpm2.Marshal(selection(pcrs)))
	h.Write(selected)
	return h.Sum(nil)
}

func selection(pcrs []uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}}}
}

// readBoots reads the signed boots. A file that is not there holds none.
func readBoots(path string) ([]SignedBoot, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap("tpm.boot_file", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBootFile+1))
	if err != nil {
		return nil, fault.Wrap("tpm.boot_file", err)
	}
	return decodeBoots(raw)
}

func decodeBoots(raw []byte) ([]SignedBoot, error) {
	if len(raw) > maxBootFile {
		return nil, errBootFile("more than %d bytes", maxBootFile)
	}
	var all []SignedBoot
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxBootLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		var b SignedBoot
		if err := dec.Decode(&b); err != nil {
			return nil, errBootFile("line %d: %w", len(all)+1, err)
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) || len(b.Policy) != sha256.Size {
			return nil, errBootFile("line %d is not a signed boot", len(all)+1)
		}
		all = append(all, b)
	}
	if err := lines.Err(); err != nil {
		return nil, errBootFile("%w", err)
	}
	return all, nil
}

func errBootFile(format string, args ...any) error {
	return fault.New("tpm.boot_file", format, args...).WithHint("put the signed boots that came with the image into the state folder as " + BootFile)
}

// bootKeyPublic is the maker's key as the chip takes it.
func bootKeyPublic(point []byte) (*tpm2.TPMTPublic, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, damaged("read the key of signed boots: %w", err)
	}
	raw, err := key.Bytes()
	if err != nil {
		return nil, damaged("read the key of signed boots: %w", err)
	}
	return &tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: raw[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: raw[33:]},
		}),
	}, nil
}

// approve makes the session's policy, which is PolicyPCR so far, the maker's:
// the chip itself checks the signature over the boot as it is. In a trial
// session nothing is checked.
func (c *chip) approve(session tpm2.TPMHandle, p *params, boots []SignedBoot, trial bool) error {
	pub, err := bootKeyPublic(p.BootKey)
	if err != nil {
		return err
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return coded("name the key of signed boots", err)
	}
	ask := tpm2.PolicyAuthorize{PolicySession: session, KeySign: *name, PolicyRef: tpm2.TPM2BDigest{Buffer: []byte(bootRef)}}
	if trial {
		ask.ApprovedPolicy.Buffer = make([]byte, sha256.Size)
		ask.CheckTicket = tpm2.TPMTTKVerified{Tag: tpm2.TPMSTVerified, Hierarchy: tpm2.TPMRHOwner}
		_, err := ask.Execute(c)
		return coded("state the key of signed boots", err)
	}
	got, err := tpm2.PolicyGetDigest{PolicySession: session}.Execute(c)
	if err != nil {
		return coded("read the policy", err)
	}
	ask.ApprovedPolicy = got.PolicyDigest
	if ask.CheckTicket, err = c.ticket(pub, got.PolicyDigest.Buffer, boots); err != nil {
		return err
	}
	_, err = ask.Execute(c)
	return coded("state the signed boot", err)
}

// ticket has the chip verify the signature over the boot as it is now.
func (c *chip) ticket(pub *tpm2.TPMTPublic, policy []byte, boots []SignedBoot) (tpm2.TPMTTKVerified, error) {
	var none tpm2.TPMTTKVerified
	forged := false
	for _, b := range boots {
		if !bytes.Equal(b.Policy, policy) {
			continue
		}
		var rs struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(b.Signature, &rs); err != nil || len(rest) > 0 || rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > 256 || rs.S.BitLen() > 256 {
			forged = true
			continue
		}
		key, err := tpm2.LoadExternal{InPublic: tpm2.New2B(*pub), Hierarchy: tpm2.TPMRHOwner}.Execute(c)
		if err != nil {
			return none, coded("load the key of signed boots", err)
		}
		digest := approval(policy)
		got, err := tpm2.VerifySignature{KeyHandle: key.ObjectHandle, Digest: tpm2.TPM2BDigest{Buffer: digest[:]},
			Signature: tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
				Hash:       tpm2.TPMAlgSHA256,
				SignatureR: tpm2.TPM2BECCParameter{Buffer: rs.R.FillBytes(make([]byte, 32))},
				SignatureS: tpm2.TPM2BECCParameter{Buffer: rs.S.FillBytes(make([]byte, 32))},
			})}}.Execute(c)
		c.flush(key.ObjectHandle)
		if err == nil {
			return got.Validation, nil
		}
		forged = true
	}
	if forged {
		return none, fault.New("tpm.boot_signature", "this boot's approval is not signed by the key that the vault was enrolled with").
			WithHint("take the signed boots from the maker of the image; a box whose image nobody signed stays shut")
	}
	return none, errPolicy()
}

// ReadBoot reads the values that the box's boot left in BootPCRs.
func ReadBoot(ctx context.Context, device string) ([][]byte, error) {
	c, err := dial(ctx, device)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	got, err := tpm2.PCRRead{PCRSelectionIn: selection(BootPCRs())}.Execute(c)
	if err != nil {
		return nil, coded("read the registers", err)
	}
	if len(got.PCRValues.Digests) != len(BootPCRs()) {
		return nil, fault.New("tpm.failed", "the TPM gives %d of %d registers", len(got.PCRValues.Digests), len(BootPCRs()))
	}
	values := make([][]byte, 0, len(BootPCRs()))
	for _, d := range got.PCRValues.Digests {
		values = append(values, d.Buffer)
	}
	return values, nil
}
