package passport

import (
	"strconv"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

// Authenticity is how the chip proves that it is no copy. The zero value is
// not at all.
type Authenticity struct {
	// ChipKeys are keys of chip authentication.
	ChipKeys []ChipKey `yaml:"chip_keys,omitempty"`
	// Active is the key of active authentication: RSA, or a curve. Its hash is
	// that of the signature; sha1 with RSA has the trailer BC.
	Active *pki.Scheme `yaml:"active,omitempty"`
	// Clone gives the chip other private keys than those that its files name.
	Clone bool `yaml:"clone,omitempty"`
}

// addAuthenticity makes keys, puts their secret halves on the chip and their
// public ones into DG14 and DG15, with the offers of PACE.
func (p Profile) addAuthenticity(doc *Document, groups map[int][]byte) error {
	a := p.Authenticity
	var infos [][]byte
	for _, offer := range p.Access.PACE {
		infos = append(infos, offer.info())
	}
	if len(infos) > 0 {
		doc.Files["CardAccess"] = lds.CardAccess(infos...)
	}
	for i, k := range a.ChipKeys {
		scheme := pki.Scheme{Key: k.Curve, Explicit: k.Explicit}
		public, err := p.chipKey(scheme, "chip authentication", strconv.Itoa(i))
		if err != nil {
			return err
		}
		if public.Curve == nil {
			return fault.New(codeProfile, "authenticity.chip_keys[%d]: chip authentication needs a curve", i)
		}
		infos = append(infos, k.infos(public.PublicKey())...)
		k.D = public.D
		if a.Clone {
			other, err := p.chipKey(scheme, "clone's chip authentication", strconv.Itoa(i))
			if err != nil {
				return err
			}
			k.D = other.D
		}
		doc.Secret.ChipKeys = append(doc.Secret.ChipKeys, k)
	}
	if a.Active != nil {
		public, err := p.chipKey(*a.Active, "active authentication")
		if err != nil {
			return err
		}
		groups[15] = lds.DG15(public.PublicKey())
		if public.RSA == nil {
			infos = append(infos, activeAuthInfo(public.Scheme.Hash))
		}
		doc.Secret.ActiveKey = public
		if a.Clone {
			if doc.Secret.ActiveKey, err = p.chipKey(*a.Active, "clone's active authentication"); err != nil {
				return err
			}
		}
	}
	if len(infos) > 0 {
		groups[14] = lds.DG14(infos...)
	}
	return nil
}

// chipKey makes a key that depends on the issuer's seed and the document.
func (p Profile) chipKey(scheme pki.Scheme, purpose ...string) (*pki.Key, error) {
	words := append([]string{"hwtest/passport", p.Issuer.Seed, p.Person().Issuer, p.Person().DocumentNumber, scheme.Key}, purpose...)
	key, err := pki.NewKey(scheme, pki.Stream(words...))
	return key, fault.Wrap(codeProfile, err)
}

func checkAuthenticity(d *Document) error {
	for i, offer := range d.Access.PACE {
		if suites[offer.Suite] == suiteNone || offer.Parameter < 8 || offer.Parameter > 18 {
			return fault.New(codeProfile, "access.pace[%d]: no suite %q with parameters %d", i, offer.Suite, offer.Parameter)
		}
	}
	for i, k := range d.Secret.ChipKeys {
		if suites[k.Suite] == suiteNone || k.D == nil || k.KeyID < 0 {
			return fault.New(codeProfile, "authenticity.chip_keys[%d]: unknown suite, no key, or a negative key id", i)
		}
		if k.OmitInfo && k.Suite != "3des" {
			return fault.New(codeProfile, "authenticity.chip_keys[%d]: omit_info means 3des", i)
		}
	}
	if k := d.Secret.ActiveKey; k != nil && aaHashes[k.Scheme.Hash].arc == 0 {
		return fault.New(codeProfile, "authenticity.active: no hash %q", k.Scheme.Hash)
	}
	return nil
}
