package imports

import (
	"regexp"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/watchlist/record"
)

var (
	circaWord = regexp.MustCompile(`(?i)^(?:(?:circa|approximately|approx\.?|about|around|c\.|ca\.?)\s+|~\s*)`)
	between   = regexp.MustCompile(`(?i)^(?:between\s+)?(.+?)(?:\s+(?:to|and|until|or)\s+|\s*[–]\s*)(.+)$`)
	years     = regexp.MustCompile(`^(\d{4})\s*[-/]\s*(\d{4})$`)
	decade    = regexp.MustCompile(`(?i)^(?:(?:early|mid|late)[- ])?(?:the )?(\d{3})0'?s$`)
	// clock is a time of day after a date, which tells nothing about it.
	clock = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$`)
	// Many lists write 00 for a day or month that is not known.
	noDay   = regexp.MustCompile(`(?i)^00?[ .-]([a-z]+[ .-]\d{4})$`)
	noMonth = regexp.MustCompile(`^(?:(\d{4})[-/]?00[-/]?00|00[./-]00[./-](\d{4}))$`)
	noDayOf = regexp.MustCompile(`^(\d{4}[-/]\d{2})[-/]00$`)
)

// maxDate is the longest text in bytes that is looked at as a date.
const maxDate = 128

// layouts are the forms of one date, with the precision each of them states.
var layouts = []struct {
	layout string
	out    string
	as     record.Precision
}{
	{"2006-01-02", time.DateOnly, record.ToDay},
	{"2 Jan 2006", time.DateOnly, record.ToDay},
	{"2 January 2006", time.DateOnly, record.ToDay},
	{"2-Jan-2006", time.DateOnly, record.ToDay},
	{"Jan 2, 2006", time.DateOnly, record.ToDay},
	{"January 2, 2006", time.DateOnly, record.ToDay},
	{"2006-1-2", time.DateOnly, record.ToDay},
	{"20060102", time.DateOnly, record.ToDay}, // turned round it would have a month above 17
	{"2006/01/02", time.DateOnly, record.ToDay},
	{"2.1.2006", time.DateOnly, record.ToDay},
	{"Jan 2006", "2006-01", record.ToMonth},
	{"January 2006", "2006-01", record.ToMonth},
	{"Jan-2006", "2006-01", record.ToMonth},
	{"2006-01", "2006-01", record.ToMonth},
	{"2006/01", "2006-01", record.ToMonth},
	{"01/2006", "2006-01", record.ToMonth},
	{"01.2006", "2006-01", record.ToMonth},
	{"2006", "2006", record.ToYear},
}

// Born reads a date of birth as lists write it: a day, month or year, one of
// them after "circa" and its like or before a question mark, or a range ("1960
// to 1962", "1960-1962", "between ... and ...", "1960 or 1962", "late 1960s").
// A day or month of 00 is one that is not known. Dates of digits alone with
// strokes, whose day and month change places between countries, are refused:
// only "2006/01/02" says itself which is which, and "2.1.2006" is day first
// wherever it is used.
func Born(text string) (record.Birth, bool) {
	if len(text) > maxDate {
		return record.Birth{}, false
	}
	text = strings.Join(strings.Fields(strings.TrimSuffix(text, ".")), " ")
	if rest := strings.TrimSuffix(strings.TrimSuffix(circaWord.ReplaceAllString(text, ""), "?"), " "); rest != text {
		b, ok := Born(rest)
		if ok && b.Precision != record.Range { // a range is vague already
			b.Precision = record.Circa
		}
		return b, ok
	}
	if b, ok := date(text); ok {
		return b, true
	}
	if d := decade.FindStringSubmatch(text); d != nil {
		return ranged(d[1]+"0", d[1]+"9")
	}
	parts := years.FindStringSubmatch(text)
	if parts == nil {
		parts = between.FindStringSubmatch(text)
	}
	if parts == nil {
		return record.Birth{}, false
	}
	return ranged(parts[1], parts[2])
}

func ranged(first, last string) (record.Birth, bool) {
	from, ok1 := date(first)
	until, ok2 := date(last)
	if !ok1 || !ok2 || len(from.Date) != len(until.Date) || until.Date < from.Date {
		return record.Birth{}, false
	}
	return record.Birth{Date: from.Date, Until: until.Date, Precision: record.Range}, true
}

func date(text string) (record.Birth, bool) {
	text = clock.ReplaceAllString(text, "$1")
	text = noDay.ReplaceAllString(text, "$1")
	text = noMonth.ReplaceAllString(text, "$1$2")
	text = noDayOf.ReplaceAllString(text, "$1")
	for _, l := range layouts {
		if t, err := time.Parse(l.layout, text); err == nil {
			// Nobody on a list of the living was born before 1850, which is
			// also where package record draws the line.
			return record.Birth{Date: t.Format(l.out), Precision: l.as}, t.Year() >= 1850
		}
	}
	return record.Birth{}, false
}
