package inspect

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

// groups judges each data group: its hash against EF.SOD, and its form.
func (j *judge) groups() {
	var unlisted []int
	for n := 1; n <= Groups; n++ {
		raw, present := j.in.Files[lds.Group(n)]
		listed := j.object != nil && j.object.Hashes[n] != nil
		if !present && !listed && n > 2 {
			continue // DG1 and DG2 are mandatory, so their absence is said
		}
		if present && !listed && j.object != nil {
			unlisted = append(unlisted, n)
		}
		group := Group{Number: n, Present: present, Listed: listed, Bytes: len(raw)}
		body, trailing := lds.Body(raw)
		if present {
			sum := sha256.Sum256(body)
			group.SHA256 = hex.EncodeToString(sum[:])
		}
		j.data.Groups = append(j.data.Groups, group)
		hash := j.hash(n, present, listed, body, raw)
		j.checks[GroupHash(n)] = Check{GroupHash(n), hash.result, hash.reason, clauseHash}
		format := j.format(n, present, raw, trailing)
		j.checks[GroupFormat(n)] = Check{GroupFormat(n), format.result, format.reason, clauseFormat + "." + strconv.Itoa(n)}
	}
	switch {
	case j.object == nil:
	case len(unlisted) > 0:
		j.set(DGUnlisted, Fail, "unlisted: "+groupList(unlisted))
	default:
		j.set(DGUnlisted, Pass, "")
	}
}

func (j *judge) hash(n int, present, listed bool, body, raw []byte) finding {
	switch {
	case j.object == nil && j.in.Files[lds.SOD] == nil:
		return finding{NotPerformed, reasonNoSOD}
	case j.object == nil:
		return finding{NotPerformed, reasonBadSOD}
	case !listed:
		return finding{NotPerformed, "unlisted"}
	case !present:
		return finding{NotPerformed, j.absent(n)}
	case j.object.Hash == 0 || !j.object.Hash.Available():
		return finding{NotAssessable, reasonSupported}
	}
	matches := func(b []byte) bool {
		h := j.object.Hash.New()
		h.Write(b)
		return subtle.ConstantTimeCompare(h.Sum(nil), j.object.Hashes[n]) == 1
	}
	switch {
	case matches(body):
		return finding{Pass, ""}
	case len(raw) > len(body) && matches(raw): // the signer hashed what follows the data object too
		return finding{Pass, tolerated([]string{"trailing_bytes_hashed"})}
	}
	return finding{Fail, "hash_mismatch"}
}

// absent is why a group is not there.
func (j *judge) absent(n int) string {
	if why := j.in.Unread[lds.Group(n)]; why != "" {
		return why
	}
	return reasonAbsent
}

func (j *judge) format(n int, present bool, raw []byte, trailing int) finding {
	if !present {
		return finding{NotPerformed, j.absent(n)}
	}
	if err := j.parse(n, raw); err != nil {
		return finding{Fail, string(fault.CodeOf(err))}
	}
	if trailing > 0 {
		return finding{Pass, tolerated([]string{"trailing_bytes"})}
	}
	return finding{Pass, ""}
}

// parse reads one group into the data and returns what is wrong with it. What
// was read before the error is kept.
func (j *judge) parse(n int, raw []byte) error {
	var err error
	switch n {
	case 1:
		return j.dg1err
	case 2, 3, 4:
		parsers := map[int]func([]byte) (*lds.Biometrics, error){2: lds.ParseDG2, 3: lds.ParseDG3, 4: lds.ParseDG4}
		pictures := map[int]*[]Picture{2: &j.data.Face, 3: &j.data.Finger, 4: &j.data.Iris}
		var b *lds.Biometrics
		b, err = parsers[n](raw)
		*pictures[n] = describe(n, b.Images)
	case 5, 6, 7:
		var images []lds.Image
		images, err = lds.ParseDisplayed(n, raw)
		j.data.Displayed = append(j.data.Displayed, describe(n, images)...)
	case 11, 12:
		var d *lds.Details
		if n == 11 {
			d, err = lds.ParseDG11(raw)
			j.data.Person = d.Fields
		} else {
			d, err = lds.ParseDG12(raw)
			j.data.Issue = d.Fields
		}
		j.data.Displayed = append(j.data.Displayed, describe(n, d.Images)...)
	case 14:
		j.infos, err = lds.ParseDG14(raw)
		j.data.Protocols = protocols(j.infos)
	case 15:
		_, err = lds.ParseDG15(raw)
	case 16:
		j.data.Notify, err = lds.ParseDG16(raw)
	default:
		err = lds.CheckGroup(n, raw)
	}
	return err
}

func describe(group int, images []lds.Image) []Picture {
	var pictures []Picture
	for _, i := range images {
		pictures = append(pictures, Picture{
			Group: group, Format: i.Format.String(), Bytes: len(i.Data), Width: i.Width, Height: i.Height,
			Standard: i.Standard, Position: i.Position,
		})
	}
	return pictures
}

func protocols(infos []lds.SecurityInfo) []Protocol {
	var out []Protocol
	for _, i := range infos {
		out = append(out, Protocol{i.OID, i.Kind.String(), i.Version, i.Parameter})
	}
	return out
}

// index compares EF.COM with EF.SOD: a chip that announces other groups than
// were signed hides or adds some.
func (j *judge) index() {
	raw, ok := j.in.Files[lds.COM]
	if !ok {
		if why := j.in.Unread[lds.COM]; why != "" {
			j.notPerformed(why, COMMatch)
		}
		return
	}
	com, err := lds.ParseCOM(raw)
	if err != nil {
		j.set(COMMatch, Fail, string(fault.CodeOf(err)))
		return
	}
	if j.object == nil {
		j.notPerformed(reasonNoSOD, COMMatch)
		return
	}
	announced := map[int]bool{}
	var extra, missing []int
	for _, n := range com.Groups {
		announced[n] = true
		if j.object.Hashes[n] == nil {
			extra = append(extra, n)
		}
	}
	for _, n := range j.object.Groups() {
		if !announced[n] {
			missing = append(missing, n)
		}
	}
	switch {
	case len(extra) > 0:
		j.set(COMMatch, Fail, "not_in_sod: "+groupList(extra))
	case len(missing) > 0:
		j.set(COMMatch, Fail, "not_in_com: "+groupList(missing))
	case com.Unknown > 0:
		j.set(COMMatch, Pass, tolerated([]string{"unknown_tags"}))
	default:
		j.set(COMMatch, Pass, "")
	}
}
