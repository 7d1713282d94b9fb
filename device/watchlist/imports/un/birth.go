package un

import (
	"strings"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/state"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// births reads dates and places of birth. The list states them apart: they
// are joined one to one where there are as many, else the first place goes to
// the first date and the others are noted as left out.
func (e *entry) births(n *node) {
	for _, b := range n.all("INDIVIDUAL_DATE_OF_BIRTH") {
		if len(b.parts) == 0 {
			continue
		}
		birth, ok := birth(b)
		if !ok {
			if b.value("DATE")+b.value("YEAR")+b.value("FROM_YEAR")+b.value("TO_YEAR") != "" {
				e.note("births", "not a date, a year or a range of years")
			}
			continue
		}
		e.r.Births = append(e.r.Births, birth)
	}
	var places []record.Birth
	for _, p := range n.all("INDIVIDUAL_PLACE_OF_BIRTH") {
		place := record.Birth{Country: state.Code(p.value("COUNTRY"))}
		var parts []string
		for _, tag := range []string{"STREET", "CITY", "STATE_PROVINCE"} {
			if text := p.value(tag); text != "" {
				parts = append(parts, text)
			}
		}
		if country := p.value("COUNTRY"); place.Country == "" && country != "" {
			parts = append(parts, country)
		}
		if place.Place = strings.Join(parts, ", "); place.Place != "" || place.Country != "" {
			places = append(places, place)
		}
	}
	for i, p := range places {
		if i < len(e.r.Births) && (i == 0 || len(places) == len(e.r.Births)) {
			e.r.Births[i].Place, e.r.Births[i].Country = p.Place, p.Country
		} else if i >= len(e.r.Births) {
			e.note("births.place", "a place of birth that no date goes with")
			break
		}
	}
}

func birth(n *node) (record.Birth, bool) {
	if from, to := n.value("FROM_YEAR"), n.value("TO_YEAR"); from != "" && to != "" {
		return imports.Born(from + " to " + to)
	}
	text := n.value("DATE")
	if text == "" {
		text = n.value("YEAR")
	}
	// A date of XML Schema may carry a time zone.
	if len(text) > 10 && text[4] == '-' && (text[10] == 'Z' || text[10] == '+' || text[10] == '-') {
		text = text[:10]
	}
	if strings.EqualFold(n.value("TYPE_OF_DATE"), "APPROXIMATELY") {
		text = "circa " + text
	}
	return imports.Born(text)
}

// aliasBirth takes a date of birth that is stated with an alias, in free text.
func (e *entry) aliasBirth(alias *node) {
	text := alias.value("DATE_OF_BIRTH")
	if text == "" {
		return
	}
	b, ok := imports.Born(text)
	if !ok {
		e.note("births", "the date of birth of an alias is not a date")
		return
	}
	if b.Country = state.Code(alias.value("COUNTRY_OF_BIRTH")); b.Country == "" {
		b.Place = alias.value("COUNTRY_OF_BIRTH")
	}
	if city := alias.value("CITY_OF_BIRTH"); city != "" {
		b.Place = city
	}
	e.r.Births = append(e.r.Births, b)
}
