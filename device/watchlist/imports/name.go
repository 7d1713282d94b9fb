package imports

import (
	"slices"
	"strings"
	"unicode"

	"github.com/watchpost/watchpost/device/watchlist/record"
)

// scripts maps the tables of package unicode to ISO 15924.
var scripts = []struct {
	table *unicode.RangeTable
	code  string
}{
	{unicode.Latin, "Latn"}, {unicode.Arabic, "Arab"}, {unicode.Cyrillic, "Cyrl"}, {unicode.Han, "Hani"},
	{unicode.Hangul, "Hang"}, {unicode.Hiragana, "Hira"}, {unicode.Katakana, "Kana"}, {unicode.Hebrew, "Hebr"},
	{unicode.Greek, "Grek"}, {unicode.Devanagari, "Deva"}, {unicode.Bengali, "Beng"}, {unicode.Thai, "Thai"},
	{unicode.Georgian, "Geor"}, {unicode.Armenian, "Armn"}, {unicode.Ethiopic, "Ethi"}, {unicode.Myanmar, "Mymr"},
	{unicode.Khmer, "Khmr"}, {unicode.Tamil, "Taml"}, {unicode.Gurmukhi, "Guru"}, {unicode.Sinhala, "Sinh"},
	{unicode.Lao, "Laoo"}, {unicode.Mongolian, "Mong"}, {unicode.Tibetan, "Tibt"}, {unicode.Thaana, "Thaa"},
	{unicode.Gujarati, "Gujr"}, {unicode.Telugu, "Telu"}, {unicode.Kannada, "Knda"}, {unicode.Malayalam, "Mlym"},
}

// Script returns the ISO 15924 code of most letters of a text; Zyyy
// (undetermined) where there is none.
func Script(text string) string {
	best, most := "Zyyy", 0
	counts := make([]int, len(scripts))
	for _, r := range text {
		for i, s := range scripts {
			if unicode.Is(s.table, r) {
				if counts[i]++; counts[i] > most {
					best, most = s.code, counts[i]
				}
				break
			}
		}
	}
	return best
}

// Whole returns a name whose parts are not known, with its script, and false
// where nothing is left of it.
func Whole(text string, kind record.NameKind, quality record.NameQuality) (record.Name, bool) {
	text = strings.Join(strings.Fields(text), " ")
	return record.Name{Full: text, Script: Script(text), Kind: kind, Quality: quality}, hasLetter(text)
}

// FamilyFirst reads "FAMILY, Given"; a name without a comma stays whole.
func FamilyFirst(text string, kind record.NameKind, quality record.NameQuality) (record.Name, bool) {
	text = strings.Join(strings.Fields(text), " ")
	family, given, ok := strings.Cut(text, ",")
	family, given = strings.TrimSpace(family), strings.TrimSpace(given)
	if !ok || family == "" || given == "" {
		return Whole(strings.Trim(text, " ,"), kind, quality)
	}
	return record.Name{Primary: family, Secondary: given, Script: Script(text), Kind: kind, Quality: quality}, hasLetter(text)
}

func hasLetter(text string) bool { return strings.ContainsFunc(text, unicode.IsLetter) }

// enough is more of anything than a record may hold, so that one with as many
// is refused; beyond it nothing is collected, since each is compared with all.
const enough = 300

// AddName appends a name that is not there yet.
func AddName(names []record.Name, n record.Name) []record.Name {
	if len(names) >= enough || slices.ContainsFunc(names, func(m record.Name) bool {
		return m.Full == n.Full && m.Primary == n.Primary && m.Secondary == n.Secondary
	}) {
		return names
	}
	return append(names, n)
}

// AddText appends a text that is not there yet.
func AddText(list []string, text string) []string {
	if len(list) >= enough || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
