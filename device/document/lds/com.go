package lds

import "github.com/watchpost/watchpost/device/document/pki/der"

// Index is EF.COM: the versions, and the data groups that the chip says it
// holds. Nothing signs it.
type Index struct {
	LDSVersion     string // "0107", "0108"; "" where absent
	UnicodeVersion string // "040000"; "" where absent
	Groups         []int  // as listed, by number
	Unknown        int    // tags listed that are of no data group
}

// ParseCOM reads EF.COM (Doc 9303-10, clause 4.6.1).
func ParseCOM(raw []byte) (*Index, error) {
	file, err := open(raw, tagCOM)
	if err != nil {
		return nil, err
	}
	index := &Index{}
	listed := false
	for r := file.Reader(); !r.Empty(); {
		e, err := r.Next()
		if err != nil {
			return nil, malformed("EF.COM: %v", err)
		}
		switch e.ID {
		case 0x5F01:
			index.LDSVersion = digits(e.Content)
		case 0x5F36:
			index.UnicodeVersion = digits(e.Content)
		case 0x5C:
			listed = true
			seen := [Groups + 1]bool{}
			for _, tag := range e.Content {
				switch n := groupByTag(der.ID(tag)); {
				case n == 0:
					index.Unknown++
				case !seen[n]:
					seen[n] = true
					index.Groups = append(index.Groups, n)
				}
			}
		}
	}
	if !listed {
		return nil, malformed("EF.COM holds no tag list")
	}
	return index, nil
}

// digits returns a short string of ASCII digits, "" for anything else.
func digits(b []byte) string {
	if len(b) > 8 {
		return ""
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return string(b)
}
