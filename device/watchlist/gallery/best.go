package gallery

import "cmp"

// Hit is a person with the best cosine of his templates, -1 to 1 up to
// rounding.
type Hit struct {
	Person Person
	Score  float32
}

// better orders hits: higher score first, then lower label, so that answers
// do not depend on how many cores searched.
func better(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Person, b.Person))
}

// best keeps the best persons seen, each once.
type best struct {
	top   int
	hits  []Hit
	worst int // index of the last in order once hits is full
}

func (b *best) offer(h Hit) {
	for i := range b.hits {
		if b.hits[i].Person == h.Person {
			if h.Score > b.hits[i].Score {
				b.hits[i].Score = h.Score
				b.findWorst()
			}
			return
		}
	}
	if len(b.hits) < b.top {
		b.hits = append(b.hits, h)
		b.findWorst()
		return
	}
	if better(h, b.hits[b.worst]) < 0 {
		b.hits[b.worst] = h
		b.findWorst()
	}
}

func (b *best) findWorst() {
	if len(b.hits) < b.top {
		return
	}
	b.worst = 0
	for i := range b.hits {
		if better(b.hits[i], b.hits[b.worst]) > 0 {
			b.worst = i
		}
	}
}
