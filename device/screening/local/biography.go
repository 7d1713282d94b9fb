package local

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/watchpost/watchpost/device/biometric/fusion"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// biographic compares what a document says of its holder with a record. It
// finds nobody: it adds to candidates found by something else.
func biographic(p *screening.NameProbe, r *record.Record) fusion.Biographic {
	var b fusion.Biographic
	for _, n := range r.Names {
		if n.Script == "Latn" {
			b.Name = max(b.Name, sameName(p, n))
			b.Names++
		}
	}
	for _, known := range r.Births {
		b.Birth = max(b.Birth, sameBirth(p.BirthDate, known))
		b.Births++
	}
	return b
}

// nameScore states what name and birth date say of a record; false where they
// say nothing.
func nameScore(b fusion.Biographic) (screening.Score, bool) {
	p, ok := b.Part()
	if !ok {
		return screening.Score{}, false
	}
	words := [...]string{fusion.Unknown: "not known", fusion.Differs: "other", fusion.Partly: "in part", fusion.Whole: "equal"}
	return screening.Score{
		Modality: screening.Name, Value: p.LLR, LLR: p.LLR, FMR: min(1, math.Exp(-p.LLR)),
		Explain: "name " + words[b.Name] + ", birth date " + words[b.Birth],
	}, true
}

// sameName compares names by their Latin letters alone: whole where the family
// names and the first given name are the same, in part where the family name
// is.
func sameName(p *screening.NameProbe, n record.Name) fusion.Agreement {
	family, given := letters(p.Primary), letters(p.Secondary)
	if len(family) == 0 {
		return fusion.Unknown
	}
	if n.Primary == "" {
		all := letters(n.Full)
		switch {
		case len(all) == 0:
			return fusion.Unknown
		case !holds(all, family):
			return fusion.Differs
		case len(given) > 0 && holds(all, given[:1]):
			return fusion.Whole
		}
		return fusion.Partly
	}
	theirs, first := letters(n.Primary), letters(n.Secondary)
	switch {
	case !holds(theirs, family) && !holds(family, theirs) && !cut(p, family, theirs):
		return fusion.Differs
	case len(given) == 0 || len(first) == 0 || given[0] != first[0]:
		return fusion.Partly
	}
	return fusion.Whole
}

// cut tells whether the machine readable zone may have cut theirs to family.
func cut(p *screening.NameProbe, family, theirs []string) bool {
	return p.Truncated && strings.HasPrefix(strings.Join(theirs, " "), strings.Join(family, " "))
}

// holds tells whether all of part stands in all.
func holds(all, part []string) bool {
	return len(part) > 0 && !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(all, s) })
}

// latin writes letters as a machine readable zone does (ICAO Doc 9303-3, 8th
// ed., 2021, section 6, table A); what is not there loses its mark only where
// listed here.
var latin = func() map[rune]string {
	out := map[rune]string{'Ä': "AE", 'Æ': "AE", 'Å': "AA", 'Ö': "OE", 'Ø': "OE", 'Œ': "OE", 'Ü': "UE", 'ß': "SS", 'ẞ': "SS", 'Þ': "TH", 'Ĳ': "IJ"}
	for to, from := range map[string]string{
		"A": "ÁÀÂÃĂĀĄǍ", "C": "ÇĆĈČĊ", "D": "ĎĐÐ", "E": "ÉÈÊËĚĖĒĘĔ", "G": "ĜĞĠĢ", "H": "ĤĦ", "I": "ÍÌÎÏĨĪĬĮİI", "J": "Ĵ", "K": "Ķ",
		"L": "ĹĽĻŁĿ", "N": "ÑŃŇŅŊ", "O": "ÓÒÔÕŌŎŐ", "R": "ŔŘŖ", "S": "ŚŜŠŞȘ", "T": "ŤŢŦȚ", "U": "ÚÙÛŨŪŬŮŰŲ", "W": "Ŵ", "Y": "ÝŶŸ", "Z": "ŹŻŽ",
	} {
		for _, r := range from {
			out[r] = to
		}
	}
	return out
}()

// letters cuts a name into words of the letters A to Z.
func letters(name string) []string {
	var b strings.Builder
	for _, r := range name {
		r = unicode.ToUpper(r)
		switch to, ok := latin[r]; {
		case ok:
			b.WriteString(to)
		case r >= 'A' && r <= 'Z':
			b.WriteRune(r)
		case r == '\'' || r == '’' || r == '.':
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

// sameBirth compares a date of birth, YYYY-MM-DD with unknown parts as "XX",
// with a reported one.
func sameBirth(date string, known record.Birth) fusion.Agreement {
	year, ok := yearOf(date)
	from, known1 := yearOf(known.Date)
	if !ok || !known1 {
		return fusion.Unknown
	}
	slack, until := 0, from
	switch known.Precision {
	case record.Circa:
		slack = 3 // years; what an owner calls about
	case record.Range:
		until, _ = yearOf(known.Until)
	}
	switch {
	case year < from-slack || year > until+slack:
		return fusion.Differs
	case known.Precision == record.ToDay && date == known.Date:
		return fusion.Whole
	case slack > 0 || until > from:
		return fusion.Unknown // a range says little when it is met
	}
	return fusion.Partly
}

func yearOf(date string) (int, bool) {
	if len(date) < 4 {
		return 0, false
	}
	y, err := strconv.Atoi(date[:4])
	return y, err == nil && y > 0
}
