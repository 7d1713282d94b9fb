package imports

import (
	"regexp"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/watchlist/record"
)

var (
	circaWord = regexp.MustCompile(`(?i)^(circa|approximately|approx\.?|about|around|c\.|ca\.?)\s+`)
	between   = regexp.MustCompile(`(?i)^(?:between\s+)?(.+?)(?:\s+(?:to|and|until)\s+|\s*[–]\s*)(.+)$`)
	years     = regexp.MustCompile(`^(\d{4})\s*[-/]\s*(\d{4})$`)
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
	{"2006/01/02", time.DateOnly, record.ToDay},
	{"2.1.2006", time.DateOnly, record.ToDay},
	{"Jan 2006", "2006-01", record.ToMonth},
	{"January 2006", "2006-01", record.ToMonth},
	{"2006-01", "2006-01", record.ToMonth},
	{"2006", "2006", record.ToYear},
}

// Born reads a date of birth as lists write it: a day, month or year, one of
// them after "circa" and its like, or a range ("1960 to 1962", "1960-1962",
// "between ... and ..."). Dates of digits alone with strokes, whose day and
// month change places between countries, are refused: only "2006/01/02" says
// itself which is which, and "2.1.2006" is day first wherever it is used.
func Born(text string) (record.Birth, bool) {
	if len(text) > maxDate {
		return record.Birth{}, false
	}
	text = strings.Join(strings.Fields(strings.TrimSuffix(text, ".")), " ")
	if rest := circaWord.ReplaceAllString(text, ""); rest != text {
		b, ok := Born(rest)
		if ok && b.Precision != record.Range { // a range is vague already
			b.Precision = record.Circa
		}
		return b, ok
	}
	if b, ok := date(text); ok {
		return b, true
	}
	parts := years.FindStringSubmatch(text)
	if parts == nil {
		parts = between.FindStringSubmatch(text)
	}
	if parts == nil {
		return record.Birth{}, false
	}
	from, ok1 := date(parts[1])
	until, ok2 := date(parts[2])
	if !ok1 || !ok2 || len(from.Date) != len(until.Date) || until.Date < from.Date {
		return record.Birth{}, false
	}
	return record.Birth{Date: from.Date, Until: until.Date, Precision: record.Range}, true
}

func date(text string) (record.Birth, bool) {
	for _, l := range layouts {
		if t, err := time.Parse(l.layout, text); err == nil {
			// Nobody on a list of the living was born before 1850, which is
			// also where package record draws the line.
			return record.Birth{Date: t.Format(l.out), Precision: l.as}, t.Year() >= 1850
		}
	}
	return record.Birth{}, false
}
