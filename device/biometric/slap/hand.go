package slap

import (
	"math"
	"slices"
)

// finger of a hand laid flat: how far its tip stays below that of the middle finger
// in millimetres, and its width against the mean of four. Our own measure of drawn
// hands; the spreads below allow for people's.
type proportion struct{ drop, width float64 }

var proportions = [4]proportion{{8, 1.03}, {0, 1.06}, {6, 1.0}, {22, 0.84}} // index to little

// Spreads of a finger about its place.
const (
	acrossSpread = 0.2  // of a finger's width
	alongSpread  = 2.4  // millimetres
	thumbSpread  = 7.0  // millimetres, of two thumbs
	widthSpread  = 0.15 // of the mean width
	asked        = 0.97 // how often a person gives the hand that was asked for
	goneThere    = 0.03 // how often a finger that was excepted is there after all
	thumbsOfTwo  = 0.9  // how often two fingers alone are thumbs where nothing was asked for
)

// Places and sizes that a hand's fingers are tried with: distance of neighbours in
// widths; length differences against proportions.
var (
	distances = []float64{0.85, 0.97, 1.1, 1.25, 1.42, 1.62}
	lengths   = []float64{0.65, 0.75, 0.85, 0.95, 1.05}
)

// seen is what is known of each tip for telling the hand, from left to right.
type seen struct {
	x, y, width []float64      // tip and width in millimetres
	turns       [turns]float64 // how likely each rotation of the hand is, 1 the likeliest
}

func look(tips []tip) seen {
	var s seen
	for i := range tips {
		t := &tips[i]
		x, y := upright(t.angle).back((t.u0+t.u1)/2, t.v0)
		s.x, s.y = append(s.x, x*cellMM), append(s.y, y*cellMM)
		s.width = append(s.width, (t.u1-t.u0)*cellMM)
	}
	s.turns = handTurns(tips)
	top := slices.Max(s.turns[:])
	for k := range s.turns {
		s.turns[k] = math.Exp(s.turns[k] - top)
	}
	return s
}

// reading is one way to name the tips.
type reading struct {
	hand      Hand
	positions []int
	log       float64 // likelihood and prior
}

// judge names the tips. Boxes are left to the caller.
func judge(tips []tip, want Expect) *Result {
	r := &Result{Fingers: make([]Finger, len(tips))}
	if len(tips) > 4 || want.Hand == TwoThumbs && len(tips) > 2 {
		r.Findings = append(r.Findings, TooMany)
		return r
	}
	s := look(tips)
	readings := readings(len(tips), want)
	top := math.Inf(-1)
	for i := range readings {
		readings[i].log += s.likelihood(&readings[i])
		top = max(top, readings[i].log)
	}
	var total float64
	hands := make(map[Hand]float64)
	for _, h := range readings {
		p := math.Exp(h.log - top)
		total += p
		hands[h.hand] += p
	}
	for _, h := range []Hand{RightFour, LeftFour, TwoThumbs} {
		if p := hands[h] / total; p > r.Confidence {
			r.Hand, r.Confidence = h, p
		}
	}
	if r.Confidence < Sure || len(tips) == 1 && want.Hand == Unknown {
		r.Findings = append(r.Findings, Unclear)
		// Where nothing was asked for the likelier hand is told as what it is; one
		// finger alone may be any.
		if want.Hand != Unknown || len(tips) == 1 {
			r.Hand, r.Confidence = Unknown, 1-r.Confidence
			return r
		}
	}
	r.place(readings, total, top)
	r.compare(want)
	return r
}

// readings lists the ways to name n tips, with what was asked for as prior.
func readings(n int, want Expect) []reading {
	prior := map[Hand]float64{RightFour: 0.5, LeftFour: 0.5, TwoThumbs: 0.02}
	if n <= 2 && want.Hand == Unknown {
		prior = map[Hand]float64{RightFour: (1 - thumbsOfTwo) / 2, LeftFour: (1 - thumbsOfTwo) / 2, TwoThumbs: thumbsOfTwo}
	}
	if want.Hand != Unknown {
		for _, h := range []Hand{RightFour, LeftFour, TwoThumbs} {
			prior[h] = (1 - asked) / 2
		}
		prior[want.Hand] = asked
	}
	var out []reading
	for _, h := range []Hand{RightFour, LeftFour, TwoThumbs} {
		var some []reading
		var sum float64
		all := h.Positions()
		for set := range 1 << len(all) {
			var pos []int
			p := 1.0
			for i, position := range all {
				if set&(1<<i) == 0 {
					continue
				}
				pos = append(pos, position)
				if slices.Contains(want.Gone, position) {
					p *= goneThere
				}
			}
			if len(pos) == n {
				some = append(some, reading{h, pos, p})
				sum += p
			}
		}
		for _, c := range some {
			c.log = math.Log(c.log / sum * prior[h])
			out = append(out, c)
		}
	}
	return out
}

// likelihood of the tips' places and widths under a reading: the mean over the
// hand's turn, the distance of neighbours and the differences of length, all of
// which no picture tells by itself.
func (s *seen) likelihood(r *reading) float64 {
	n := len(s.x)
	if n == 1 {
		return 0
	}
	var mean float64
	for _, w := range s.width {
		mean += w / float64(n)
	}
	xs, drops := make([]float64, n), make([]float64, n)
	log := 0.0
	for i, p := range r.positions {
		k := slices.Index(r.hand.Positions(), p)
		xs[i] = float64(k) * mean
		if r.hand == TwoThumbs {
			// Thumbs are broad: two other fingers seldom are.
			log += -0.5 * square(min(0, (s.width[i]-17)/7))
			continue
		}
		drops[i] = proportions[(p-2)%5].drop
		log += -0.5 * square((s.width[i]/mean-proportions[(p-2)%5].width)/widthSpread)
		if n == 2 {
			log += -0.5 * square(max(0, (s.width[i]-17)/7))
		}
	}
	centre(xs)
	centre(drops)
	u, v := make([]float64, n), make([]float64, n)
	var sum float64
	for k := range 2*turns - 1 { // between the angles too
		turn := (s.turns[k/2] + s.turns[(k+1)/2]) / 2
		if turn < 1e-4 {
			continue
		}
		f := upright(turnOf(0) + float64(k)*turnStep/2)
		for i := range s.x {
			u[i], v[i] = f.at(s.x[i], s.y[i])
		}
		centre(u)
		centre(v)
		sum += turn * s.spacings(r.hand, u, xs, mean) * s.drops(r.hand, v, drops)
	}
	return log + math.Log(sum+1e-300)
}

// spacings is how well tips lie apart as neighbours do.
func (s *seen) spacings(hand Hand, u, xs []float64, mean float64) float64 {
	if hand == TwoThumbs {
		return 0.5 // any distance
	}
	var sum float64
	for _, d := range distances {
		var q float64
		for i := range u {
			q += square((u[i] - d*xs[i]) / (acrossSpread * mean))
		}
		sum += math.Exp(-q / 2)
	}
	return sum / float64(len(distances))
}

// drops is how well the differences of length fit.
func (s *seen) drops(hand Hand, v, drops []float64) float64 {
	var sum float64
	if hand == TwoThumbs { // of two hands: neither knows where the other lies
		for i := range v {
			sum += square(v[i] / thumbSpread)
		}
		return math.Exp(-sum / 2)
	}
	for _, l := range lengths {
		var q float64
		for i := range v {
			q += square((v[i] - l*drops[i]) / alongSpread)
		}
		sum += math.Exp(-q / 2)
	}
	return sum / float64(len(lengths))
}

func square(v float64) float64 { return v * v }

func centre(v []float64) {
	var m float64
	for _, a := range v {
		m += a / float64(len(v))
	}
	for i := range v {
		v[i] -= m
	}
}

// place gives each tip its likeliest position.
func (r *Result) place(readings []reading, total, top float64) {
	best, at := math.Inf(-1), 0
	for i, c := range readings {
		if c.hand == r.Hand && c.log > best {
			best, at = c.log, i
		}
	}
	for i, p := range readings[at].positions {
		var sure float64
		for _, c := range readings {
			if c.positions[i] == p {
				sure += math.Exp(c.log-top) / total
			}
		}
		r.Fingers[i].Confidence = sure
		if sure >= 0.5 {
			r.Fingers[i].Position = p
		}
	}
}

// compare notes what differs from what was asked for.
func (r *Result) compare(want Expect) {
	if want.Hand != Unknown && r.Hand != want.Hand {
		r.Findings = append(r.Findings, WrongHand)
		want.Gone = nil
	}
	due := 0
	for _, p := range r.Hand.Positions() {
		if slices.Contains(want.Gone, p) {
			continue
		}
		due++
		if !slices.ContainsFunc(r.Fingers, func(f Finger) bool { return f.Position == p }) {
			r.Missing = append(r.Missing, p)
		}
	}
	switch n := len(r.Fingers); {
	case n < due:
		r.Findings = append(r.Findings, TooFew)
	case n > due:
		r.Findings = append(r.Findings, TooMany)
	}
}
