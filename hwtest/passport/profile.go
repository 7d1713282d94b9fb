package passport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

// Profile describes one virtual passport. The zero value is a genuine passport
// of Utopia with an invented holder, a drawn portrait, and BAC.
type Profile struct {
	Holder persona.Person `yaml:"holder,omitempty"` // zero: persona.Invent(Seed)
	Seed   uint64         `yaml:"seed,omitempty"`   // of the invented holder
	Format persona.Format `yaml:"format,omitempty"` // td3 by default

	// Portrait is a JPEG or JPEG 2000 file for DG2, relative to the profile's
	// own folder. PortraitData is the same in memory and comes first. Without
	// either it is persona.Portrait(Seed).
	Portrait     string `yaml:"portrait,omitempty"`
	PortraitData []byte `yaml:"-"`
	NoPortrait   bool   `yaml:"no_portrait,omitempty"` // no DG2 at all

	// Bomb takes the portrait's place before EF.SOD is signed: lds.BombJPEG,
	// lds.BombJP2, lds.BombCodestream, lds.BombTLV or lds.BombCount.
	Bomb string `yaml:"bomb,omitempty"`

	// ForgedPortrait takes the portrait's place after EF.SOD was signed, as a
	// forger's would: a file as Portrait, or its octets.
	ForgedPortrait     string `yaml:"forged_portrait,omitempty"`
	ForgedPortraitData []byte `yaml:"-"`

	// Groups are the optional data groups.
	Groups Groups `yaml:"groups,omitempty"`

	// Issuer made the certificates and signed EF.SOD; zero is a sound issuer of
	// Utopia. Country, state and document type follow the holder where they are
	// left out.
	Issuer pki.Spec `yaml:"issuer,omitempty"`

	// Files are put on the chip as they are, by name, after EF.SOD was signed
	// over what they replace; an empty one takes a file away. FileData is the
	// same in memory.
	Files    map[string]string `yaml:"files,omitempty"`
	FileData map[string][]byte `yaml:"-"`

	Access       Access       `yaml:"access,omitempty"`
	Authenticity Authenticity `yaml:"authenticity,omitempty"`
	Terminal     *Terminal    `yaml:"terminal,omitempty"` // who may read DG3 and DG4; nil is nobody

	Limits Limits  `yaml:"limits,omitempty"`
	Faults []Fault `yaml:"faults,omitempty"`
	Air    Air     `yaml:"air,omitempty"`
}

// LoadProfile reads a profile in YAML. Unknown keys are refused; the files
// that it names are read later, relative to its own folder.
func LoadProfile(path string) (Profile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Profile{}, fault.Wrap(codeProfile, err)
	}
	p, err := parseProfile(data)
	if err != nil {
		return Profile{}, fault.New(codeProfile, "%s: %v", path, err)
	}
	p.rebase(filepath.Dir(path))
	return p, nil
}

// ParseProfile reads a profile from YAML text; paths in it stay as they are.
func ParseProfile(data []byte) (Profile, error) {
	p, err := parseProfile(data)
	return p, fault.Wrap(codeProfile, err)
}

func parseProfile(data []byte) (Profile, error) {
	var p Profile
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField())
	if err := dec.Decode(&p); err != nil && !errors.Is(err, io.EOF) { // empty text is the empty profile
		line, _, _ := strings.Cut(err.Error(), "\n") // the rest draws the place in the text
		return Profile{}, errors.New(line)
	}
	return p, nil
}

func (p *Profile) rebase(dir string) {
	for _, path := range []*string{&p.Portrait, &p.ForgedPortrait} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	for name, path := range p.Files {
		if path != "" && !filepath.IsAbs(path) {
			p.Files[name] = filepath.Join(dir, path)
		}
	}
}

// Person returns the holder: the one given, else the one invented.
func (p Profile) Person() persona.Person {
	if p.Holder == (persona.Person{}) {
		return persona.Invent(p.Seed)
	}
	return p.Holder
}

// MRZ returns the lines of the document's machine readable zone.
func (p Profile) MRZ() ([]string, error) {
	format := p.Format
	if format == "" {
		format = persona.TD3
	}
	lines, err := p.Person().MRZ(format)
	return lines, fault.Wrap(codeProfile, err)
}

// IssuerSpec returns the issuer with what it takes from the holder filled in.
// pki.New of it has the certificates that vouch for this passport.
func (p Profile) IssuerSpec() (pki.Spec, error) {
	spec, holder := p.Issuer, p.Person()
	if spec.State == "" {
		spec.State = holder.Issuer
	}
	if spec.Country == "" {
		country, ok := persona.CertificateCountry(holder.Issuer)
		if !ok {
			return pki.Spec{}, fault.New(codeProfile, "issuer.country: no two-letter code is known for this issuing state").
				WithHint("Give issuer.country in the profile.")
		}
		spec.Country = country
	}
	if spec.DocumentTypes == nil {
		spec.DocumentTypes = []string{holder.DocumentCode}
	}
	return spec, nil
}

// Personalise makes the files and secrets of the chip that p describes.
func Personalise(p Profile) (*Document, error) {
	doc := &Document{Files: map[string][]byte{}, Access: p.Access, Limits: p.Limits, Faults: p.Faults, Air: p.Air}
	doc.Secret = Secret{AccessInfo: p.Person().AccessInfo(), CAN: p.Access.CAN}
	groups, err := p.groups()
	if err != nil {
		return nil, err
	}
	if err := p.addAuthenticity(doc, groups); err != nil {
		return nil, err
	}
	spec, err := p.IssuerSpec()
	if err != nil {
		return nil, err
	}
	issuer, err := pki.New(spec)
	if err != nil {
		return nil, fault.Wrap(codeProfile, err)
	}
	if doc.Files["SOD"], err = issuer.SOD(groups); err != nil {
		return nil, fault.Wrap(codeProfile, err)
	}
	for group, content := range groups {
		doc.Files[fmt.Sprintf("DG%d", group)] = content
	}
	doc.Files["COM"] = lds.COM(slices.Collect(maps.Keys(groups)))
	doc.Files["ATR_INFO"] = lds.ATRInfo(65535, 65535)
	if err := p.replaceFiles(doc); err != nil {
		return nil, err
	}
	if err := doc.check(); err != nil {
		return nil, err
	}
	return doc, nil
}

// groups makes the data groups by number.
func (p Profile) groups() (map[int][]byte, error) {
	lines, err := p.MRZ()
	if err != nil {
		return nil, err
	}
	groups := map[int][]byte{1: lds.DG1(lines)}
	if err := p.addGroups(groups); err != nil {
		return nil, err
	}
	if p.NoPortrait {
		return groups, nil
	}
	if p.Bomb != "" {
		groups[2], err = lds.Bomb(p.Bomb, p.Person().Sex)
		return groups, fault.Wrap(codeProfile, err)
	}
	portrait := p.PortraitData
	if portrait == nil && p.Portrait == "" {
		if portrait, err = persona.Portrait(p.Seed); err != nil {
			return nil, err
		}
	}
	groups[2], err = p.portraitGroup(p.Portrait, portrait)
	return groups, err
}

// portraitGroup makes DG2 of a portrait in memory or in a file, nil of none.
func (p Profile) portraitGroup(path string, portrait []byte) ([]byte, error) {
	if portrait == nil && path != "" {
		var err error
		if portrait, err = os.ReadFile(path); err != nil {
			return nil, fault.Wrap(codeProfile, err)
		}
	}
	if portrait == nil {
		return nil, nil
	}
	dg2, err := lds.Face(portrait, p.Person().Sex, p.Groups.Encoding)
	return dg2, fault.Wrap(codeProfile, err)
}

// replaceFiles does what is done to a chip after its files were signed.
func (p Profile) replaceFiles(doc *Document) error {
	forged, err := p.portraitGroup(p.ForgedPortrait, p.ForgedPortraitData)
	if err != nil {
		return err
	}
	if forged != nil {
		doc.Files["DG2"] = forged
	}
	for name, path := range p.Files {
		if path == "" {
			delete(doc.Files, name)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return fault.Wrap(codeProfile, err)
		}
		doc.Files[name] = data
	}
	for name, data := range p.FileData {
		if data == nil {
			delete(doc.Files, name)
			continue
		}
		doc.Files[name] = data
	}
	return nil
}
