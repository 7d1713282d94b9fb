package passport

import (
	"math/big"
	"strconv"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/curve"
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
		infos = append(infos, offer.infos()...)
	}
	if len(infos) > 0 {
		doc.Files["CardAccess"] = lds.CardAccess(infos...)
	}
	for i, k := range a.ChipKeys {
		if k.finite() {
			finiteInfos, err := p.finiteKey(&k, i, doc)
			if err != nil {
				return err
			}
			infos = append(infos, finiteInfos...)
			continue
		}
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
	if err := p.addMappingKey(doc); err != nil {
		return err
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
	terminal, err := p.addTerminal(doc)
	if err != nil {
		return err
	}
	infos = append(infos, terminal...)
	if len(infos) > 0 {
		groups[14] = lds.DG14(infos...)
	}
	return nil
}

// finiteKey makes a key of chip authentication in a group of numbers.
func (p Profile) finiteKey(k *ChipKey, i int, doc *Document) ([][]byte, error) {
	dom, err := k.domain()
	if err != nil {
		return nil, fault.New(codeProfile, "authenticity.chip_keys[%d]: no group %q", i, k.Curve)
	}
	g := dom.(finite).g
	draw := func(purpose string) (*big.Int, error) {
		return g.Scalar(pki.Stream("hwtest/passport", p.Issuer.Seed, p.Person().Issuer, p.Person().DocumentNumber, k.Curve, purpose, strconv.Itoa(i)))
	}
	if k.D, err = draw("chip authentication"); err != nil {
		return nil, err
	}
	infos := k.infos(finitePublicKey(g, k.D))
	if p.Authenticity.Clone {
		if k.D, err = draw("clone's chip authentication"); err != nil {
			return nil, err
		}
	}
	doc.Secret.ChipKeys = append(doc.Secret.ChipKeys, *k)
	return infos, nil
}

// addMappingKey makes the static key of PACE-CAM where it is offered, and
// EF.CardSecurity, signed by the issuer's document signer (Doc 9303-11 (2021),
// 9.2.11).
func (p Profile) addMappingKey(doc *Document) error {
	for _, offer := range p.Access.PACE {
		if offer.Mapping != MappingChip {
			continue
		}
		c, err := curve.ByPACE(offer.Parameter)
		if err != nil {
			return fault.Wrap(codeProfile, err)
		}
		public, err := p.chipKey(pki.Scheme{Key: c.Name}, "chip authentication mapping")
		if err != nil {
			return err
		}
		doc.Secret.MappingKey = public.D
		if p.Authenticity.Clone {
			other, err := p.chipKey(pki.Scheme{Key: c.Name}, "clone's chip authentication mapping")
			if err != nil {
				return err
			}
			doc.Secret.MappingKey = other.D
		}
		spec, err := p.IssuerSpec()
		if err != nil {
			return err
		}
		issuer, err := pki.New(spec)
		if err != nil {
			return fault.Wrap(codeProfile, err)
		}
		infos := [][]byte{mappingInfo(public.PublicKey())}
		for _, o := range p.Access.PACE {
			infos = append(infos, o.infos()...)
		}
		doc.Files["CardSecurity"], err = issuer.CardSecurity(lds.CardAccess(infos...))
		return fault.Wrap(codeProfile, err)
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
		_, err := domainByPACE(offer.Parameter)
		if suites[offer.Suite] == suiteNone || err != nil || offer.arc() == 0 || offer.Reference != 0 && (!offer.Explicit || offer.Reference < 32) {
			return fault.New(codeProfile, "access.pace[%d]: no mapping %q with suite %q and parameters %d", i, string(offer.Mapping), offer.Suite, offer.Parameter)
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
