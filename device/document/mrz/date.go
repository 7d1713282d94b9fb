package mrz

import (
	"fmt"
	"time"
)

// Date is a date with parts that may be unknown. A part of 0 is unknown.
type Date struct {
	Year, Month, Day int
}

// String returns YYYY-MM-DD with unknown parts as "XXXX" or "XX".
func (d Date) String() string {
	part := func(n, width int) string {
		if n == 0 {
			return "XXXX"[:width]
		}
		return fmt.Sprintf("%0*d", width, n)
	}
	return part(d.Year, 4) + "-" + part(d.Month, 2) + "-" + part(d.Day, 2)
}

// Known reports whether year, month and day are all known.
func (d Date) Known() bool { return d.Year != 0 && d.Month != 0 && d.Day != 0 }

// End returns the first instant after the last day that d may mean, in UTC,
// so that a document valid until d has expired at that instant. ok is false
// where the year is unknown.
func (d Date) End() (end time.Time, ok bool) {
	switch {
	case d.Year == 0:
		return time.Time{}, false
	case d.Month == 0:
		return time.Date(d.Year+1, 1, 1, 0, 0, 0, 0, time.UTC), true
	case d.Day == 0:
		return time.Date(d.Year, time.Month(d.Month)+1, 1, 0, 0, 0, 0, time.UTC), true
	}
	return time.Date(d.Year, time.Month(d.Month), d.Day+1, 0, 0, 0, 0, time.UTC), true
}

// birthDate reads YYMMDD. The century is the latest in which the day is not
// after now: nobody is born tomorrow, and a holder of a hundred years cannot
// be told from a newborn by two digits.
func birthDate(raw string, now time.Time) (Date, bool) {
	return zoneDate(raw, func(yy, month, day int) int {
		year := now.Year() - now.Year()%100 + yy
		first := time.Date(year, time.Month(max(month, 1)), max(day, 1), 0, 0, 0, 0, time.UTC)
		if first.After(now) {
			year -= 100
		}
		return year
	})
}

// expiryDate reads YYMMDD. The century is the one that puts the year nearest
// to now, 50 years back and 49 ahead: documents are valid for 5 to 15 years,
// and old ones are shown long after they have expired.
func expiryDate(raw string, now time.Time) (Date, bool) {
	return zoneDate(raw, func(yy, _, _ int) int {
		year := now.Year() - now.Year()%100 + yy
		switch {
		case year > now.Year()+49:
			year -= 100
		case year < now.Year()-50:
			year += 100
		}
		return year
	})
}

// zoneDate reads a date of six characters in which unknown parts are filled
// (Doc 9303-3, clause 4.8). ok is false where it is no date.
func zoneDate(raw string, century func(yy, month, day int) int) (d Date, ok bool) {
	if len(raw) != 6 {
		return Date{}, false
	}
	var parts [3]int
	var known [3]bool
	for i := range parts {
		pair := raw[2*i : 2*i+2]
		if pair == "<<" {
			continue
		}
		if pair[0] < '0' || pair[0] > '9' || pair[1] < '0' || pair[1] > '9' {
			return Date{}, false
		}
		parts[i], known[i] = int(pair[0]-'0')*10+int(pair[1]-'0'), true
	}
	month, day := parts[1], parts[2]
	if known[1] && (month < 1 || month > 12) || known[2] && (day < 1 || day > 31) {
		return Date{}, false
	}
	d = Date{Month: month, Day: day}
	if known[0] {
		d.Year = century(parts[0], month, day)
	}
	if d.Known() && time.Date(d.Year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day {
		return Date{}, false
	}
	return d, true
}
