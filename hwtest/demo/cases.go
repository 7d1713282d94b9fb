package demo

import (
	"fmt"

	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// expect is how one encounter must end.
type expect struct {
	checks  map[string]string // check code → result
	answer  string
	record  string // of the only candidate, "" for none
	withhel string // reason in what is missing, "" for none
	finding string // of the officer on the candidate
	outcome string
	reason  string // that the advice must name, "" where it is clear
}

// encounterCase is one person at the post.
type encounterCase struct {
	letter   string
	title    string
	says     string // what the officer would say in one line
	passport *passport.Profile
	sitter   Sitter
	fingers  []int  // what is asked for: fingers, or several at once (13 the right four)
	age      string // declared
	expect   expect
}

// HomeIssuer is the country whose anchors the post holds.
func HomeIssuer() pki.Spec { return pki.Spec{Seed: "home", Country: "UT", State: "UTO"} }

// strangeIssuer is a country without anchors here. QZ and QZA are from the
// ranges that ISO 3166-1 leaves to users.
func strangeIssuer() pki.Spec { return pki.Spec{Seed: "far", Country: "QZ", State: "QZA"} }

// cases are the encounters of the demonstration.
func cases(pictures Portraits) ([]encounterCase, error) {
	manChip, err := pictures.OnChip(Man)
	if err != nil {
		return nil, err
	}
	astronautChip, err := pictures.OnChip(Astronaut)
	if err != nil {
		return nil, err
	}
	genuine := passport.Profile{Seed: 1, Issuer: HomeIssuer(), PortraitData: astronautChip}
	listed := passport.Profile{Seed: 2, Issuer: HomeIssuer(), PortraitData: manChip}

	// The forger took a genuine passport of another and put the presenter's
	// portrait in; the signed hashes are still those of the other.
	forged := passport.Profile{Seed: 3, Issuer: HomeIssuer(), PortraitData: manChip}
	presenter := forged
	presenter.PortraitData = astronautChip
	doc, err := passport.Personalise(presenter)
	if err != nil {
		return nil, fmt.Errorf("make the forger's portrait: %w", err)
	}
	forged.FileData = map[string][]byte{"DG2": doc.Files["DG2"]}

	imitated := passport.Profile{Seed: 4, Issuer: HomeIssuer(), PortraitData: astronautChip}
	imitated.Issuer.Seed = "imitation" // same names, other keys

	strange := passport.Profile{Seed: 5, Issuer: strangeIssuer(), PortraitData: astronautChip}
	strange.Holder = persona.Invent(5)
	strange.Holder.Issuer, strange.Holder.Nationality = "QZA", "QZA"

	sound := map[string]string{"sod.signature": "pass", "ds.chain": "pass", "dg1.hash": "pass", "dg2.hash": "pass", "portrait.match": "pass"}
	return []encounterCase{
		{
			letter: "a", title: "genuine passport, right holder, not listed", passport: &genuine, sitter: Astronaut, age: "unknown",
			says:   "The passport is genuine, the face is its holder's, nothing on the lists.",
			expect: expect{checks: sound, answer: "clear", outcome: "admitted"},
		},
		{
			letter: "b", title: "genuine passport, holder listed under another name", passport: &listed, sitter: Man, age: "unknown",
			says:   "The passport is genuine, but the face is that of a listed person: an officer looks.",
			expect: expect{checks: sound, answer: "candidates", record: recordMan, finding: "same_person", outcome: "referred", reason: listName + "/" + recordMan},
		},
		{
			letter: "c", title: "portrait on the chip replaced by the presenter's own", passport: &forged, sitter: Astronaut, age: "adult",
			says: "The faces match, but the portrait is not the one that was signed: forged.",
			expect: expect{
				checks: map[string]string{"sod.signature": "pass", "ds.chain": "pass", "dg1.hash": "pass", "dg2.hash": "fail", "portrait.match": "pass"},
				answer: "clear", outcome: "referred", reason: "dg2.hash",
			},
		},
		{
			letter: "d", title: "signed by an issuer that imitates a known country", passport: &imitated, sitter: Astronaut, age: "adult",
			says: "It is signed, but not by the country that it names: forged.",
			expect: expect{
				checks: map[string]string{"sod.signature": "pass", "ds.chain": "fail", "dg2.hash": "pass", "portrait.match": "pass"},
				answer: "clear", outcome: "referred", reason: "ds.chain",
			},
		},
		{
			letter: "e", title: "country without anchors at this post", passport: &strange, sitter: Astronaut, age: "adult",
			says: "Nobody here can tell whether that country signed it: not forged, not proven.",
			expect: expect{
				checks: map[string]string{"sod.signature": "pass", "ds.chain": "not-assessable", "dg2.hash": "pass"},
				answer: "clear", outcome: "referred", reason: "ds.chain",
			},
		},
		{
			letter: "f", title: "person without papers, declared adult, not listed", sitter: Astronaut, age: "adult",
			says:   "No papers; the face is on no list.",
			expect: expect{answer: "clear", outcome: "admitted"},
		},
		{
			letter: "f", title: "the same person of undeclared age", sitter: Astronaut, age: "unknown",
			says:   "May be a minor: the lists are not searched by face, so nothing is verified.",
			expect: expect{answer: "not-verified", withhel: "age_unknown", outcome: "referred", reason: "not-verified"},
		},
		{
			letter: "i", title: "person without papers whose fingers are listed", sitter: Astronaut, fingers: []int{2, 7}, age: "adult",
			says:   "No papers, the face is on no list; two index fingers are: an officer looks.",
			expect: expect{answer: "candidates", record: recordFingers, finding: "same_person", outcome: "referred", reason: listName + "/" + recordFingers},
		},
		{
			letter: "i", title: "the same person lays the right hand down", sitter: Astronaut, fingers: []int{13}, age: "adult",
			says:   "First without the ring finger, then all four at once: the same candidate.",
			expect: expect{answer: "candidates", record: recordFingers, finding: "same_person", outcome: "referred", reason: listName + "/" + recordFingers},
		},
	}, nil
}
