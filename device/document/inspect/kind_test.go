package inspect

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	genpki "github.com/watchpost/watchpost/hwtest/gen/pki"
)

// A chip that does not answer is judged by what its issuer puts into such
// documents.
func TestChipExpected(t *testing.T) {
	page := func(issuer, code, number string, expires string) []string {
		return lines(t, func(p *persona.Person) {
			p.Issuer, p.DocumentCode, p.DocumentNumber, p.Expires = issuer, code, number, expires
		})
	}
	const later, sooner = "2031-01-31", "2005-01-31"
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"chip answered":         {Input{Lines: page("AUT", "P", "XT1234567", later), Access: &Access{Protocol: ProtocolBAC}}, "pass"},
		"nobody looked":         {Input{Lines: page("AUT", "P", "XT1234567", later)}, "not-performed no_chip_session"},
		"silent":                {Input{Lines: page("AUT", "P", "XT1234567", later), NoChip: true}, "fail since: 2006-06-16 confidence: high"},
		"silent, German":        {Input{Lines: page("D", "P", "XT1234567", later), NoChip: true}, "fail since: 2005-11-01 confidence: high"},
		"older than chips":      {Input{Lines: page("AUT", "P", "XT1234567", sooner), NoChip: true}, "pass none_expected since: 2006-06-16 confidence: high"},
		"chipless cards beside": {Input{Lines: page("BGR", "ID", "XT1234567", later), NoChip: true}, "not-assessable since: 2024-06-17 confidence: high chipless_beside"},
		"unsure":                {Input{Lines: page("AND", "P", "XT1234567", later), NoChip: true}, "not-assessable since: 2017-01-01 confidence: low"},
		"not in the table":      {Input{Lines: page("UTO", "P", "XT1234567", later), NoChip: true}, "not-assessable not_in_table"},
		"no zone either":        {Input{NoChip: true}, "not-performed no_zone"},
	} {
		c.in.At = at
		t.Run(name, func(t *testing.T) {
			i := Judge(c.in)
			compare(t, i, expect{ChipExpected: c.want})
			if c.in.NoChip {
				compare(t, i, expect{ChipPresent: "fail no_answer"})
			}
		})
	}
}

// deviating is a store with one deviation list.
type deviating struct {
	list *deviation.List
	err  error
}

func (deviating) Chain(*pki.Certificate, time.Time) trust.Chain {
	return trust.Chain{State: trust.ChainNoAnchor}
}

func (d deviating) Deviations(country string) (*deviation.List, error) {
	if country != "UT" {
		return nil, nil
	}
	return d.list, d.err
}

func TestDeviations(t *testing.T) {
	parse := func(criteria ...[]byte) *deviation.List {
		description := der.Marshal(der.Sequence, der.Marshal(der.ObjectID, []byte{0x67, 0x81, 8, 1, 1, 7, 3, 2}))
		l, err := deviation.Parse(der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{0}),
			der.Marshal(der.Set, der.Marshal(der.Sequence, der.Marshal(der.Sequence, criteria...), der.Marshal(der.Set, description)))))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	numbers := func(n string) []byte {
		return der.Marshal(der.ContextConstructed(5), der.Marshal(der.PrintableString, []byte(n)))
	}
	period := der.Marshal(der.ContextConstructed(4), der.Marshal(der.GeneralizedTime, []byte("20150101000000Z")), der.Marshal(der.GeneralizedTime, []byte("20160101000000Z")))
	plain := files(t, issuer(t, genpki.Spec{}), lines(t, nil))
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"named":            {Input{Files: plain, Trust: deviating{list: parse(numbers("XT1234567"))}}, "fail listed: mrz 2.23.136.1.1.7.3.2"},
		"another is named": {Input{Files: plain, Trust: deviating{list: parse(numbers("XT1234568"))}}, "pass list_of: UT"},
		"perhaps":          {Input{Files: plain, Trust: deviating{list: parse(numbers("XT1234567"), period)}}, "not-assessable perhaps_listed: mrz 2.23.136.1.1.7.3.2"},
		"no list":          {Input{Files: plain, Trust: deviating{}}, "not-performed no_deviation_list"},
		"list is gone":     {Input{Files: plain, Trust: deviating{err: fault.New("trust.damaged", "x")}}, "not-assessable trust.damaged"},
		"no DG1":           {Input{Trust: deviating{list: parse()}}, "not-performed no_dg1"},
		"no store":         {Input{Files: plain}, "not-performed no_deviation_list"},
	} {
		c.in.At = at
		t.Run(name, func(t *testing.T) { compare(t, Judge(c.in), expect{DocumentDeviation: c.want}) })
	}
}
