package emrtd

import (
	"log/slog"

	"github.com/watchpost/watchpost/device/fault"
)

// Reading is what one chip gave. It holds personal data and belongs to the
// caller.
type Reading struct {
	Files   map[string][]byte     // raw octets by File.Name, unchanged
	Unread  map[string]fault.Code // files that are there or expected, and why they were not read
	Access  Access
	Proofs  []Proof // in the order in which they were tried
	Traffic Traffic
}

// LogValue keeps personal data out of logs: file names and codes only.
func (r Reading) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(r.Files)+len(r.Unread))
	for name, b := range r.Files {
		attrs = append(attrs, slog.Int(name, len(b)))
	}
	for name, code := range r.Unread {
		attrs = append(attrs, slog.String(name, string(code)))
	}
	return slog.GroupValue(attrs...)
}

func (r Reading) String() string { return "reading (redacted)" }

// Access control protocols, as Access.Protocol and Access.Offered name them.
const (
	ProtocolPACE = "pace"
	ProtocolBAC  = "bac"
	ProtocolNone = "none" // the application reads without access control
)

// Access says how the chip was opened.
type Access struct {
	Protocol    string       // ProtocolPACE, ProtocolBAC, ProtocolNone; "" when it was not opened
	Offered     []string     // protocols that the chip is known to offer; BAC does not announce itself
	Password    PasswordKind // what opened it
	Mapping     string       // PACE: "gm", "im", "cam"
	Cipher      string       // of secure messaging under the access control: "3des", "aes-128"
	Domain      string       // PACE: curve or group, "brainpoolP256r1"
	ParameterID int          // PACE: by which the chip names the domain parameters (0 to 31 standardized), -1 where by none
	Downgrade   fault.Code   // why PACE was offered and not used; "" where it was used or not offered
	Sessions    int          // sessions opened; more than one means that sessions were lost
}

// ProofKind names a protocol by which a chip shows that it is no copy, or the
// one by which the terminal shows the chip that it may read more. The words are
// the check codes of the inspection.
type ProofKind string

// Proofs.
const (
	ProofChip     ProofKind = "chip.authentication"
	ProofActive   ProofKind = "active.authentication"
	ProofCAM      ProofKind = "pace.cam"
	ProofTerminal ProofKind = "terminal.authentication" // of the terminal: the chip accepted it
)

// Outcome is how a proof ended. The zero value proves nothing.
type Outcome uint8

// Outcomes of a proof.
const (
	OutcomeUnknown      Outcome = 0
	OutcomeProven       Outcome = 1 // the chip holds the private key of the public key read
	OutcomeFailed       Outcome = 2 // it was asked and did not show it
	OutcomeNotPerformed Outcome = 3 // not asked: no key, or one of a kind that is not supported
)

// Proof is the outcome of one protocol. Proven says nothing about whose key
// it is: that rests on passive authentication of KeyFile.
type Proof struct {
	Kind    ProofKind
	Outcome Outcome
	Reason  fault.Code // "" where proven
	KeyFile string     // file that held the public key: "DG14", "DG15", "CardSecurity"; "" for ProofTerminal
	Detail  string     // algorithm and domain, "ECDH brainpoolP256r1 AES-128"

	// Active Authentication only: what was signed and the signature, so that
	// the proof can be judged again from the files.
	Challenge, Signature []byte
}

// Stage tells where a reading is.
type Stage string

// Stages in their order; StageFile comes once per block of each file.
const (
	StageConnect Stage = "connect" // before access control
	StageAccess  Stage = "access"  // PACE or BAC
	StageFile    Stage = "file"
	StageProof   Stage = "proof" // Chip, Active or Terminal Authentication
	StageDone    Stage = "done"
)

// Event is one step of progress. It holds no personal data.
type Event struct {
	Stage Stage
	Name  string // file, protocol or proof
	Bytes int    // of a file: octets read
	Total int    // of a file: octets of its data object, 0 while unknown
}
