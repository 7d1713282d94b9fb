package cvc

import (
	"encoding/pem"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// Spec describes a verifying state: its authority, a document verifier and an
// inspection system, and what is wrong with them. The zero value is a sound one
// of Utopia. Equal specs make equal keys and equal octets.
type Spec struct {
	Seed     string     `yaml:"seed,omitempty" json:"seed,omitempty"`
	Country  string     `yaml:"country,omitempty" json:"country,omitempty"`   // of all references, UT by default
	CVCA     pki.Scheme `yaml:"cvca,omitempty" json:"cvca,omitempty"`         // of all keys, brainpoolP256r1 with sha256 by default
	Terminal pki.Scheme `yaml:"terminal,omitempty" json:"terminal,omitempty"` // of the inspection system's key, as CVCA by default; a curve must be the same
	Linked   bool       `yaml:"linked,omitempty" json:"linked,omitempty"`     // the verifier is certified by the next CVCA; a link certificate leads to it
	Foreign  bool       `yaml:"foreign,omitempty" json:"foreign,omitempty"`   // the verifier is of another state
	Rights   string     `yaml:"rights,omitempty" json:"rights,omitempty"`     // of the inspection system: "finger", "iris", "none", both by default
	Defects  Defects    `yaml:"defects,omitempty" json:"defects,omitempty"`
}

// Defects are what is wrong with a terminal's certificates.
type Defects struct {
	ForeignDV       bool      `yaml:"foreign_dv,omitempty" json:"foreign_dv,omitempty"`             // the verifier's certificate is signed by a key that is not the authority's
	ForeignTerminal bool      `yaml:"foreign_terminal,omitempty" json:"foreign_terminal,omitempty"` // the inspection system's is not signed by the verifier
	OtherKey        bool      `yaml:"other_key,omitempty" json:"other_key,omitempty"`               // the inspection system signs with a key that is not its certificate's
	DVUntil         time.Time `yaml:"dv_until,omitempty" json:"dv_until,omitempty"`
	TerminalUntil   time.Time `yaml:"terminal_until,omitempty" json:"terminal_until,omitempty"`
	TerminalIsDV    bool      `yaml:"terminal_is_dv,omitempty" json:"terminal_is_dv,omitempty"` // the terminal's certificate has the role of a verifier
	SkipDV          bool      `yaml:"skip_dv,omitempty" json:"skip_dv,omitempty"`               // the authority certified the inspection system itself
}

// Dates of sound certificates.
var (
	cvcaFrom  = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	cvcaUntil = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	nextFrom  = time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)
	dvFrom    = time.Date(2025, 8, 1, 0, 0, 0, 0, time.UTC)
	dvUntil   = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	isFrom    = time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	isUntil   = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Hierarchy is a verifying state at work. It is read only.
type Hierarchy struct {
	Spec     Spec
	CVCA     *Certificate // the one that chips were personalised with
	Link     *Certificate // nil unless Linked: of the next CVCA, signed by CVCA
	DV       *Certificate // nil with SkipDV
	Terminal *Certificate // its Key signs
}

func (s Spec) withDefaults() Spec {
	if s.Country == "" {
		s.Country = "UT"
	}
	defaults := func(k *pki.Scheme) {
		if k.Key == "" {
			k.Key = "brainpoolP256r1"
		}
		if k.Hash == "" {
			k.Hash = "sha256"
		}
	}
	defaults(&s.CVCA)
	if s.Terminal == (pki.Scheme{}) {
		s.Terminal = s.CVCA
	}
	defaults(&s.Terminal)
	return s
}

// New makes the verifying state that spec describes.
func New(spec Spec) (*Hierarchy, error) {
	s := spec.withDefaults()
	h := &Hierarchy{Spec: s}
	first := s.Country + "CVWATCH00001"
	var err error
	if h.CVCA, err = s.issue(Template{Authority: first, Holder: first, Role: RoleCVCA, Rights: allRights, From: cvcaFrom, Until: cvcaUntil}, s.CVCA, nil, "cvca"); err != nil {
		return nil, err
	}
	authority := h.CVCA
	if s.Linked {
		next := Template{Authority: first, Holder: s.Country + "CVWATCH00002", Role: RoleCVCA, Rights: allRights, From: nextFrom, Until: cvcaUntil}
		if h.Link, err = s.issue(next, s.CVCA, authority.Key, "next cvca"); err != nil {
			return nil, err
		}
		authority = h.Link
	}
	d := s.Defects
	terminal := Template{Holder: s.Country + "ISWATCH00001", Role: RoleInspection, Rights: s.rights(), From: isFrom, Until: either(d.TerminalUntil, isUntil)}
	if d.TerminalIsDV {
		terminal.Role = RoleDomesticDV
	}
	issuer := authority
	if !d.SkipDV {
		if h.DV, err = s.verifier(authority); err != nil {
			return nil, err
		}
		issuer = h.DV
	}
	terminal.Authority = issuer.Template.Holder
	signer := issuer.Key
	if d.ForeignTerminal {
		if signer, err = s.key(s.CVCA, "foreign verifier"); err != nil {
			return nil, err
		}
	}
	if h.Terminal, err = s.issue(terminal, s.Terminal, signer, "terminal"); err != nil {
		return nil, err
	}
	if d.OtherKey {
		h.Terminal.Key, err = s.key(s.Terminal, "other terminal")
	}
	return h, err
}

func (s Spec) verifier(authority *Certificate) (*Certificate, error) {
	t := Template{
		Authority: authority.Template.Holder, Holder: s.Country + "DVWATCH00001", Role: RoleDomesticDV,
		Rights: allRights, From: dvFrom, Until: either(s.Defects.DVUntil, dvUntil),
	}
	if s.Foreign {
		t.Role = RoleForeignDV
	}
	signer := authority.Key
	if s.Defects.ForeignDV {
		var err error
		if signer, err = s.key(s.CVCA, "foreign cvca"); err != nil {
			return nil, err
		}
	}
	return s.issue(t, s.CVCA, signer, "verifier")
}

func (s Spec) rights() byte {
	switch s.Rights {
	case "finger":
		return RightFinger
	case "iris":
		return RightIris
	case "none":
		return 0
	}
	return allRights
}

func (s Spec) key(scheme pki.Scheme, purpose string) (*pki.Key, error) {
	return pki.NewKey(scheme, pki.Stream("hwtest/gen/cvc", s.Seed, purpose, "key", scheme.Key))
}

// issue makes a key and its certificate; without a signer it signs itself.
func (s Spec) issue(t Template, scheme pki.Scheme, signer *pki.Key, purpose string) (*Certificate, error) {
	key, err := s.key(scheme, purpose)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		signer = key
	}
	return Issue(t, key, signer, pki.Stream("hwtest/gen/cvc", s.Seed, purpose, "certificate"))
}

func either(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}

// Chain is what a terminal shows a chip that trusts the CVCA: link, verifier,
// inspection system.
func (h *Hierarchy) Chain() [][]byte {
	var chain [][]byte
	for _, c := range []*Certificate{h.Link, h.DV, h.Terminal} {
		if c != nil {
			chain = append(chain, c.Raw)
		}
	}
	return chain
}

// PEM writes the inspection system's private key (PKCS #8) and the chain, the
// laboratory form that "watchpost chip read --is-key" takes.
func (h *Hierarchy) PEM() []byte {
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: h.Terminal.Key.PKCS8()})
	for _, raw := range h.Chain() {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CV CERTIFICATE", Bytes: raw})...)
	}
	return out
}
