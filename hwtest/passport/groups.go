package passport

import (
	"fmt"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

// Groups says which data groups a chip has beside DG1, DG2 and those that its
// protocols need. Their contents are invented.
type Groups struct {
	Encoding lds.Encoding `yaml:"encoding,omitempty"` // of DG2 to DG4: "19794" (default) or "39794"

	Fingers      int  `yaml:"fingers,omitempty"`       // in DG3, up to 4; 0 is no DG3
	EmptyFingers bool `yaml:"empty_fingers,omitempty"` // DG3 is there without a finger
	Irises       int  `yaml:"irises,omitempty"`        // in DG4, up to 2

	Displayed bool   `yaml:"displayed,omitempty"` // DG5
	Signature bool   `yaml:"signature,omitempty"` // DG7
	Features  bool   `yaml:"features,omitempty"`  // DG8, DG9, DG10
	Person    bool   `yaml:"person,omitempty"`    // DG11
	Issue     bool   `yaml:"issue,omitempty"`     // DG12
	Optional  string `yaml:"optional,omitempty"`  // DG13, its text; "" is none
	Notify    int    `yaml:"notify,omitempty"`    // persons in DG16, up to 9
}

// Sizes of the pictures drawn, in pixels.
const (
	fingerWidth, fingerHeight       = 120, 160
	irisWidth, irisHeight           = 160, 120
	signatureWidth, signatureHeight = 120, 40
)

// addGroups makes the optional groups.
func (p Profile) addGroups(groups map[int][]byte) error {
	g := p.Groups
	if g.Encoding != "" && g.Encoding != lds.Encoding19794 && g.Encoding != lds.Encoding39794 {
		return fault.New(codeProfile, "groups.encoding: no encoding %q", string(g.Encoding))
	}
	if g.Fingers < 0 || g.Irises < 0 || g.Notify < 0 || g.Notify > 9 {
		return fault.New(codeProfile, "groups: a number is negative or too large")
	}
	for _, step := range []func(map[int][]byte) error{p.addBiometrics, p.addPictures, p.addTexts} {
		if err := step(groups); err != nil {
			return fault.Wrap(codeProfile, err)
		}
	}
	return nil
}

// patterns draws n pictures that differ.
func (p Profile) patterns(n, width, height int) ([][]byte, error) {
	images := make([][]byte, n)
	for i := range images {
		var err error
		if images[i], err = lds.Pattern(p.Seed+uint64(i), width, height); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func (p Profile) addBiometrics(groups map[int][]byte) error {
	g := p.Groups
	if g.Fingers > 0 || g.EmptyFingers {
		prints, err := p.patterns(g.Fingers, fingerWidth, fingerHeight)
		if err != nil {
			return err
		}
		if groups[3], err = lds.DG3(g.Encoding, prints...); err != nil {
			return err
		}
	}
	if g.Irises > 0 {
		eyes, err := p.patterns(g.Irises, irisWidth, irisHeight)
		if err != nil {
			return err
		}
		if groups[4], err = lds.DG4(g.Encoding, eyes...); err != nil {
			return err
		}
	}
	return nil
}

func (p Profile) addPictures(groups map[int][]byte) error {
	picture, err := lds.Pattern(p.Seed, signatureWidth, signatureHeight)
	if err != nil {
		return err
	}
	if p.Groups.Displayed {
		groups[5] = lds.Displayed(5, picture)
	}
	if p.Groups.Signature {
		groups[7] = lds.Displayed(7, picture)
	}
	return nil
}

func (p Profile) addTexts(groups map[int][]byte) error {
	g, holder := p.Groups, p.Person()
	if g.Features {
		for n := 8; n <= 10; n++ {
			groups[n] = lds.Features(n, fmt.Appendf(nil, "feature of the issuer, group %d", n))
		}
	}
	name := strings.ReplaceAll(holder.Surname, " ", "<") + "<<" + strings.ReplaceAll(holder.GivenNames, " ", "<")
	if g.Person {
		groups[11] = lds.Details(11,
			lds.Field{Tag: 0x5F0E, Value: []byte(name)},
			lds.Field{Tag: 0x5F2B, Value: []byte(strings.ReplaceAll(holder.Born, "-", ""))},
			lds.Field{Tag: 0x5F11, Value: []byte("ZENITH<UTOPIA")},
			lds.Field{Tag: 0x5F42, Value: []byte("1 INVENTED STREET<ZENITH")})
	}
	if g.Issue {
		groups[12] = lds.Details(12,
			lds.Field{Tag: 0x5F19, Value: []byte("OFFICE OF INVENTED DOCUMENTS")},
			lds.Field{Tag: 0x5F26, Value: []byte("20250203")})
	}
	if g.Optional != "" {
		groups[13] = lds.DG13([]byte(g.Optional))
	}
	if g.Notify > 0 {
		var persons [][3]string
		for i := range g.Notify {
			persons = append(persons, [3]string{fmt.Sprintf("PERSON<<%c", 'A'+i), fmt.Sprintf("+99 555 %04d", i), "2 INVENTED STREET<ZENITH"})
		}
		groups[16] = lds.DG16("20250203", persons...)
	}
	return nil
}
