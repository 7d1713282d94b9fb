// Package state turns the names of states, as lists write them, into the
// three-letter codes of Doc 9303-3:2021 section 5.
package state

import (
	"strings"
	"sync"
)

// Code returns the three-letter code for a state's name in English, its usual
// short and formal forms, an adjective of nationality where it is common, or
// its ISO 3166-1 code of two or three letters. "" is returned where the text
// is none of these: whoever asks says so, and guesses nothing. Germany is D,
// as in machine-readable zones; Hong Kong and Macau are CHN, as their passports
// say. It is safe for concurrent use.
func Code(name string) string {
	key := plain(name)
	codes := table()
	if code, ok := codes[key]; ok {
		return code
	}
	// "Iran (Islamic Republic of)", "Macedonia, The Former ...": what follows
	// the short name qualifies it. A comma is not cut: "Korea, North".
	if i := strings.IndexByte(name, '('); i > 0 {
		return codes[plain(name[:i])]
	}
	return ""
}

var table = sync.OnceValue(func() map[string]string {
	codes := make(map[string]string, 1000)
	for line := range strings.Lines(states) {
		fields := strings.Split(strings.TrimSpace(line), ";")
		code := fields[0]
		for _, name := range fields {
			codes[plain(name)] = code
		}
	}
	return codes
})

// plain brings a name to small letters, digits and single spaces.
func plain(name string) string {
	name = strings.ToLower(strings.ReplaceAll(name, "&", " and "))
	name = accents.Replace(name)
	words := strings.FieldsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if len(words) > 1 && words[0] == "the" {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

var accents = strings.NewReplacer("ô", "o", "é", "e", "è", "e", "ç", "c", "ã", "a", "á", "a", "å", "a", "í", "i", "ú", "u", "ü", "u", "ó", "o", "ñ", "n", "'", "", "’", "")
