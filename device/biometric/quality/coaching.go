package quality

// Looking is one measure of a live frame with what is asked of it.
type Looking struct {
	Name   string  `json:"name"` // ISO/IEC 29794-5's, lower case with underscores
	Value  float64 `json:"value"`
	Native float64 `json:"native"`
	Unit   string  `json:"unit"`
	Low    float64 `json:"low"`              // least native value that is good
	High   float64 `json:"high"`             // greatest; Unbounded where there is none
	Advice string  `json:"advice,omitempty"` // text key, "" where the bounds are kept
}

// Live returns the measures that somebody at the post can mend at once, the
// first that matters first, each with its bounds and advice.
func Live(measures []Measure) []Looking {
	var out []Looking
	for _, name := range live {
		for _, m := range measures {
			if r, ok := RuleOf(name); ok && m.Name == name {
				out = append(out, Looking{m.Name, m.Value, m.Native, m.Unit, r.Low, r.High, r.AdviceFor(m, measures)})
			}
		}
	}
	return out
}

// AdviceFace is what helps where no face is found.
const AdviceFace = "no_face"

const (
	// settleLooks is how many looks in a row must agree before the advice
	// changes: a reader needs half a second for a line.
	settleLooks = 2
	// slack is by how much of a bound a measure has to keep it before the advice
	// about it goes: one that trembles about its bound says one thing.
	slack = 0.1
)

// Coaching turns looks at live frames into one advice that stays. It is used by
// one goroutine; the zero value is ready.
type Coaching struct {
	shown   string // advice given
	because string // the measure it is about
	next    string
	agreed  int
}

// Next returns the text key of the one thing to do, "" where nothing has to be
// done, after a look: measures is nil where no face was found.
func (c *Coaching) Next(measures []Looking) string {
	advice, because := AdviceFace, ""
	if measures != nil {
		advice, because = c.first(measures)
	}
	switch {
	case advice == c.shown:
		c.agreed = 0
	case advice != c.next:
		c.next, c.agreed = advice, 1
	default:
		c.agreed++
	}
	if advice != c.shown && c.agreed >= settleLooks {
		c.shown, c.because, c.agreed = advice, because, 0
	}
	return c.shown
}

// first is the advice of the first measure that misses its bounds; the one that
// is spoken of already has to keep them with room.
func (c *Coaching) first(measures []Looking) (advice, because string) {
	for _, m := range measures {
		if m.Advice != "" {
			return m.Advice, m.Name
		}
		if m.Name == c.because && c.shown != "" && !m.keepsWell() {
			return c.shown, m.Name
		}
	}
	return "", ""
}

// keepsWell reports whether a measure keeps its bounds with room. A count is
// right or wrong.
func (m Looking) keepsWell() bool {
	room := func(bound float64) float64 {
		if bound < 0 {
			return -bound * slack
		}
		return bound * slack
	}
	if m.Unit == "faces" {
		return true
	}
	return (m.Low == 0 || m.Native >= m.Low+room(m.Low)) && (m.High >= Unbounded || m.Native <= m.High-room(m.High))
}
