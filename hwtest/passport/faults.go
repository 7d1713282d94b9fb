package passport

import "github.com/watchpost/watchpost/device/fault"

// Kind names one way in which a chip misbehaves.
type Kind string

// The kinds of fault. A kind that changes a protected answer does nothing to
// a plain one.
const (
	KindTear        Kind = "tear"         // the card leaves the field instead of answering; gone until Reset
	KindStatus      Kind = "status"       // the command is not carried out, the answer is Status
	KindShortRead   Kind = "short-read"   // READ BINARY returns at most Bytes octets
	KindEmptyRead   Kind = "empty-read"   // READ BINARY returns no data and 9000
	KindEndlessRead Kind = "endless-read" // READ BINARY returns zeros at every offset, at most Bytes octets (default 1), for ever
	KindSilence     Kind = "silence"      // the answer is an empty string of octets, not even a status
	KindNoise       Kind = "noise"        // the answer is 300 octets that mean nothing
	KindDelay       Kind = "delay"        // the answer comes Millis later

	KindWrongMAC      Kind = "wrong-mac"       // protected answer: checksum off by one bit
	KindDropMAC       Kind = "drop-mac"        // protected answer: no checksum
	KindDropStatus    Kind = "drop-status"     // protected answer: no status object
	KindInnerStatus   Kind = "inner-status"    // protected answer: the status object says Status, the trailer does not
	KindPlainStatus   Kind = "plain-status"    // a plain Status instead of a protected answer; the session ends
	KindPlainAnswer   Kind = "plain-answer"    // the answer's data come unprotected although messaging is on
	KindBadPadding    Kind = "bad-padding"     // protected answer: the padding of the plain text is damaged
	KindSkipCounter   Kind = "skip-counter"    // protected answer: the send sequence counter is one too far
	KindOffCurve      Kind = "off-curve"       // PACE: the chip's point of this step is not on the curve
	KindInfinity      Kind = "infinity"        // PACE: the chip's point of this step is the point at infinity
	KindEchoKey       Kind = "echo-key"        // PACE: the chip returns the terminal's own public key
	KindWrongToken    Kind = "wrong-token"     // PACE: the chip's authentication token is off by one bit
	KindLeadingZero   Kind = "leading-zero"    // PACE: the chip chooses its key so that the shared secret begins with a zero octet
	KindShortKey      Kind = "short-key"       // PACE by numbers: the chip chooses a public key that begins with a zero octet, and leaves that out
	KindWrongNonce    Kind = "wrong-nonce"     // PACE: the encrypted nonce is not the one that the chip goes on with
	KindNoChipData    Kind = "no-chip-data"    // PACE-CAM: the chip authentication data are left out
	KindWrongChipData Kind = "wrong-chip-data" // PACE-CAM: the chip authentication data are of another key
	KindStaleKeys     Kind = "stale-keys"      // chip authentication: the chip agrees and goes on under the old keys
	KindShortNonce    Kind = "short-nonce"     // PACE with integrated mapping: a nonce shorter than a key
	KindBadSignature  Kind = "bad-signature"   // active authentication: the signature is off by one bit
)

var kinds = map[Kind]bool{
	KindTear: true, KindStatus: true, KindShortRead: true, KindEmptyRead: true, KindEndlessRead: true, KindSilence: true, KindNoise: true, KindDelay: true,
	KindWrongMAC: true, KindDropMAC: true, KindDropStatus: true, KindInnerStatus: true, KindPlainStatus: true, KindPlainAnswer: true,
	KindBadPadding: true, KindSkipCounter: true, KindOffCurve: true, KindInfinity: true, KindEchoKey: true, KindWrongToken: true,
	KindLeadingZero: true, KindShortKey: true, KindWrongNonce: true, KindBadSignature: true, KindNoChipData: true, KindShortNonce: true, KindStaleKeys: true, KindWrongChipData: true,
}

// Fault is one misbehaviour and when it shows. At, Step and Times together
// choose the commands: At alone one command, Step alone each command of that
// step, none of them every command.
type Fault struct {
	Kind Kind `yaml:"kind" json:"kind"`
	// At is the number of a command since the last Reset, from 1; 0 is any.
	At int `yaml:"at,omitempty" json:"at,omitempty"`
	// Step is what the chip is asked: "select:NAME" and "read:NAME" with NAME
	// one of MF, LDS or a file (DG1, SOD, COM, CardAccess, ...),
	// "get-challenge", "external-authenticate", "internal-authenticate",
	// "pace-select", "pace-1" to "pace-4", "ca-select", "ca-agree", "ta-dst",
	// "ta-verify", "ta-select", "ta-challenge", "ta-authenticate"; "" is any.
	Step string `yaml:"step,omitempty" json:"step,omitempty"`
	// Times is how often the fault shows before the chip behaves; 0 is always.
	Times  int    `yaml:"times,omitempty" json:"times,omitempty"`
	Status string `yaml:"status,omitempty" json:"status,omitempty"` // four hexadecimal digits
	Bytes  int    `yaml:"bytes,omitempty" json:"bytes,omitempty"`
	Millis int    `yaml:"millis,omitempty" json:"millis,omitempty"`
}

// damage is what the faults that apply do to one command.
type damage struct {
	kinds       map[Kind]bool
	status      int
	bytes       int
	millis      int
	innerStatus int
	wrongMAC    bool
	dropMAC     bool
	dropStatus  bool
	badPadding  bool
	skipCounter bool
}

func (d damage) has(k Kind) bool { return d.kinds[k] }

// faultState is the faults of a chip with how often each has shown. It is
// guarded by the chip's lock and outlives Reset: Times counts over the whole
// life of the chip.
type faultState struct {
	faults []Fault
	shown  []int
}

// strike collects the faults that apply to command n at the step named.
func (s *faultState) strike(n int, step string) damage {
	d := damage{kinds: map[Kind]bool{}}
	for i, f := range s.faults {
		if f.At != 0 && f.At != n || f.Step != "" && f.Step != step || f.Times != 0 && s.shown[i] >= f.Times {
			continue
		}
		s.shown[i]++
		d.kinds[f.Kind] = true
		switch f.Kind {
		case KindStatus, KindPlainStatus:
			d.status = mustStatus(f.Status)
		case KindInnerStatus:
			d.innerStatus = mustStatus(f.Status)
		case KindShortRead:
			d.bytes = f.Bytes
		case KindEndlessRead:
			d.bytes = max(f.Bytes, 1)
		case KindDelay:
			d.millis += f.Millis
		case KindWrongMAC:
			d.wrongMAC = true
		case KindDropMAC:
			d.dropMAC = true
		case KindDropStatus:
			d.dropStatus = true
		case KindBadPadding:
			d.badPadding = true
		case KindSkipCounter:
			d.skipCounter = true
		}
	}
	return d
}

func checkFaults(faults []Fault) error {
	for i, f := range faults {
		if !kinds[f.Kind] {
			return fault.New(codeProfile, "faults[%d]: no kind %q", i, string(f.Kind))
		}
		needsStatus := f.Kind == KindStatus || f.Kind == KindPlainStatus || f.Kind == KindInnerStatus
		if _, ok := parseStatus(f.Status); needsStatus && !ok {
			return fault.New(codeProfile, "faults[%d]: %s needs a status of four hexadecimal digits", i, f.Kind)
		}
		if f.At < 0 || f.Times < 0 || f.Bytes < 0 || f.Millis < 0 {
			return fault.New(codeProfile, "faults[%d]: a number is negative", i)
		}
		if f.Kind == KindShortRead && f.Bytes == 0 {
			return fault.New(codeProfile, "faults[%d]: short-read needs bytes", i)
		}
	}
	return nil
}
