// Package termauth is Terminal Authentication version 1, the inspection
// system's side (BSI TR-03110-1 v2.20, 2015, 3.5, and TR-03110-3 v2.21, 2016,
// B.3; ICAO Doc 9303-11, 8th edition 2021, 7.1 and appendix K): the terminal proves to the
// chip that it may read fingerprints (DG3) and irises (DG4).
//
// The terminal's private key is not this program's: whoever holds it signs
// through an ISKey.
package termauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/cvc"
	"github.com/watchpost/watchpost/device/fault"
)

// Ways for Terminal Authentication to fail. Errors of the channel pass through.
var (
	ErrNoKey       = &fault.Error{Code: "ta.no_key"}              // nobody signs for this terminal
	ErrNoAuthority = &fault.Error{Code: "ta.no_authority"}        // the chip does not say whom it trusts
	ErrNoChain     = &fault.Error{Code: "ta.no_chain"}            // the terminal has no certificates under an authority of the chip
	ErrChain       = &fault.Error{Code: "ta.chain"}               // the certificates given are no chain
	ErrKey         = &fault.Error{Code: "ta.key_failed"}          // the holder of the key did not answer
	ErrAuthority   = &fault.Error{Code: "ta.authority_refused"}   // the chip does not know the key that a certificate is signed with
	ErrCertificate = &fault.Error{Code: "ta.certificate_refused"} // the chip refused a certificate
	ErrReference   = &fault.Error{Code: "ta.key_refused"}         // the chip refused the terminal's key
	ErrChallenge   = &fault.Error{Code: "ta.challenge"}           // no challenge of eight octets came
	ErrSignature   = &fault.Error{Code: "ta.signature_refused"}   // the chip refused the terminal's signature
)

// ISKey is the key of an inspection system, kept by somebody else: a control
// centre of the state, a security module, in a laboratory a file. Both methods
// wait no longer than ctx and may be called again in a session opened anew.
type ISKey interface {
	// Certificates returns card verifiable certificates that lead from one of
	// the authorities, the chip's most recent first, to the inspection system's
	// own, which is the last: links, verifier, inspection system. None, without
	// an error, says that there is no such chain.
	Certificates(ctx context.Context, authorities []string) ([][]byte, error)
	// Sign signs data under the algorithm of the last certificate: an RSA
	// signature, or r and s of an ECDSA one at the length of the order.
	Sign(ctx context.Context, data []byte) ([]byte, error)
}

// Session is what the protocols before say of the connection.
type Session struct {
	Authorities []string // that the chip trusts, newest first
	ChipID      []byte   // PACE: the chip's ephemeral key, compressed; BAC: document number with check digit
	Ephemeral   []byte   // the terminal's key of Chip Authentication, compressed
}

// Result is what the chip has accepted.
type Result struct {
	Rights    cvc.Rights // that every certificate of the chain grants
	Algorithm string     // "ECDSA SHA-256"
	Until     time.Time  // last day of the terminal's certificate
}

// Bounds of what the key's holder may send.
const (
	maxChain     = 8
	maxSignature = 1024
)

// Run authenticates the terminal. The chip must have proven itself by Chip
// Authentication in this session.
func Run(ctx context.Context, exchange apdu.Exchange, key ISKey, s Session) (Result, error) {
	if key == nil {
		return Result{}, ErrNoKey
	}
	chain, err := certificates(ctx, key, s.Authorities)
	if err != nil {
		return Result{}, err
	}
	for _, c := range chain {
		if err := present(ctx, exchange, c); err != nil {
			return Result{}, err
		}
	}
	terminal := chain[len(chain)-1]
	r, err := exchange(ctx, apdu.Command{INS: 0x22, P1: 0x81, P2: 0xA4, Data: apdu.AppendTLV(nil, 0x83, []byte(terminal.Holder))})
	if err := refused(ErrReference, "MSE:Set AT", r, err); err != nil {
		return Result{}, err
	}
	challenge, err := exchange(ctx, apdu.Command{INS: 0x84, Ne: challengeLen})
	if err := refused(ErrChallenge, "GET CHALLENGE", challenge, err); err != nil {
		return Result{}, err
	}
	if len(challenge.Data) != challengeLen {
		return Result{}, fault.New(ErrChallenge.Code, "%d octets", len(challenge.Data))
	}
	signature, err := key.Sign(ctx, slices.Concat(s.ChipID, challenge.Data, s.Ephemeral))
	if err != nil {
		return Result{}, fault.Wrap(ErrKey.Code, err)
	}
	if len(signature) == 0 || len(signature) > maxSignature {
		return Result{}, fault.New(ErrKey.Code, "signature of %d octets", len(signature))
	}
	r, err = exchange(ctx, apdu.Command{INS: 0x82, Data: signature})
	if err := refused(ErrSignature, "EXTERNAL AUTHENTICATE", r, err); err != nil {
		return Result{}, err
	}
	return granted(chain), nil
}

const challengeLen = 8

// certificates asks the key's holder for a chain and holds it to what a chain
// is. Dates are left to the chip: it goes by its own clock.
func certificates(ctx context.Context, key ISKey, authorities []string) ([]*cvc.Certificate, error) {
	raw, err := key.Certificates(ctx, authorities)
	switch {
	case err != nil:
		return nil, fault.Wrap(ErrKey.Code, err)
	case len(raw) == 0:
		return nil, fault.New(ErrNoChain.Code, "authorities of the chip: %s", strings.Join(authorities, " "))
	case len(raw) > maxChain:
		return nil, fault.New(ErrChain.Code, "%d certificates", len(raw))
	}
	chain := make([]*cvc.Certificate, len(raw))
	for i, b := range raw {
		if chain[i], err = cvc.Parse(b); err != nil {
			return nil, fault.Wrap(ErrChain.Code, err)
		}
		if i == 0 && !slices.Contains(authorities, chain[0].Authority) || i > 0 && chain[i].Authority != chain[i-1].Holder {
			return nil, fault.New(ErrChain.Code, "certificate %d does not follow the one before", i+1)
		}
	}
	if chain[len(chain)-1].Role != cvc.RoleInspection {
		return nil, fault.New(ErrChain.Code, "the last certificate is no inspection system's")
	}
	return chain, nil
}

// present has the chip verify one certificate: MSE:Set DST, PSO: VERIFY
// CERTIFICATE (Doc 9303-11, 7.1.5.1 and 7.1.5.2).
func present(ctx context.Context, exchange apdu.Exchange, c *cvc.Certificate) error {
	r, err := exchange(ctx, apdu.Command{INS: 0x22, P1: 0x81, P2: 0xB6, Data: apdu.AppendTLV(nil, 0x83, []byte(c.Authority))})
	if err := refused(ErrAuthority, "MSE:Set DST", r, err); err != nil {
		return err
	}
	r, err = exchange(ctx, apdu.Command{INS: 0x2A, P1: 0x00, P2: 0xBE, Data: c.Content})
	return refused(ErrCertificate, "PSO: VERIFY CERTIFICATE", r, err)
}

// granted is what the whole chain grants.
func granted(chain []*cvc.Certificate) Result {
	terminal := chain[len(chain)-1]
	rights := terminal.Rights
	for _, c := range chain {
		rights &= c.Rights
	}
	return Result{Rights: rights, Algorithm: cvc.AlgorithmName(terminal.Algorithm), Until: terminal.Until}
}

func refused(code *fault.Error, step string, r apdu.Response, err error) error {
	if err != nil {
		return err
	}
	if r.Status != apdu.StatusOK {
		return fault.Wrap(code.Code, &apdu.StatusError{Step: step, Status: r.Status})
	}
	return nil
}
