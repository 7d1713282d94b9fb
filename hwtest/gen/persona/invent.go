package persona

import (
	"fmt"
	"math/rand/v2"
)

// Parts of invented names. No list of real people was used.
var (
	surnameHeads = []string{"AL", "BERN", "COR", "DAL", "ERI", "FAL", "GREN", "HOL", "IVA", "JOR", "KES", "LIN", "MAR", "NOR", "OST", "PEL", "QUIN", "ROS", "SAL", "TOR", "UL", "VAN", "WES", "YAR", "ZEL"}
	surnameTails = []string{"AND", "BECK", "DEN", "ESKI", "FORD", "GAARD", "IANO", "KANEN", "LOVA", "MONT", "NER", "OVIC", "RIN", "STEN", "TARI", "VELD", "WICK", "ZADE"}
	feminine     = []string{"ADA", "BRIDA", "CELIA", "DORIS", "ELENA", "FREYA", "GRETA", "HANA", "INES", "JUNA", "KIRA", "LEDA", "MIRA", "NELA", "OLIVE", "PETRA", "RHEA", "SELMA", "TILDA", "VERA"}
	masculine    = []string{"ANTON", "BORIS", "CASPAR", "DARIO", "EMIL", "FELIX", "GUIDO", "HUGO", "IVOR", "JONAS", "KASIM", "LEVIN", "MILO", "NILS", "OTIS", "PAVEL", "RUNE", "STEFAN", "TIMO", "VIGGO"}
)

// Invent returns the person of this seed: the same seed gives the same person
// for ever. Issuer and nationality are UTO and the document is a passport
// number with two letters, valid to 2035.
func Invent(seed uint64) Person {
	r := rand.New(rand.NewPCG(seed, 0x70657273))
	p := Person{
		Surname:      pick(r, surnameHeads) + pick(r, surnameTails),
		Nationality:  "UTO",
		Issuer:       "UTO",
		DocumentCode: "P",
		Born:         fmt.Sprintf("%04d-%02d-%02d", 1950+r.IntN(55), 1+r.IntN(12), 1+r.IntN(28)),
		Expires:      fmt.Sprintf("2035-%02d-%02d", 1+r.IntN(12), 1+r.IntN(28)),
	}
	given := masculine
	p.Sex = "M"
	if r.IntN(2) == 0 {
		p.Sex, given = "F", feminine
	}
	p.GivenNames = pick(r, given)
	if r.IntN(3) == 0 {
		p.GivenNames += " " + pick(r, given)
	}
	p.DocumentNumber = fmt.Sprintf("%c%c%07d", 'A'+rune(r.IntN(26)), 'A'+rune(r.IntN(26)), r.IntN(10_000_000))
	return p
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
