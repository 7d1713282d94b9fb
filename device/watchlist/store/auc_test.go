package store

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// score is what an attacker says of one candidate of one list: the higher,
// the more he takes the candidate for a member.
type score struct {
	list   int
	member bool
	value  float64
}

// ascending returns the scores from the lowest to the highest.
func ascending(scores []score) []score {
	s := slices.Clone(scores)
	slices.SortFunc(s, func(a, b score) int { return cmp.Compare(a.value, b.value) })
	return s
}

// auc returns the chance that a member is scored above a stranger, ties half
// (Mann and Whitney, 1947), over all lists but one. The scores ascend.
func auc(s []score, without int) float64 {
	var ranks, members, strangers float64
	for i := 0; i < len(s); {
		var m, n float64
		value := s[i].value
		for ; i < len(s) && s[i].value == value; i++ {
			switch {
			case s[i].list == without:
			case s[i].member:
				m++
			default:
				n++
			}
		}
		ranks += m * (strangers + n/2)
		members, strangers = members+m, strangers+n
	}
	return ranks / (members * strangers)
}

// interval returns AUC and its 95 % interval by the jackknife over lists
// (Efron, 1982): candidates of one list share its files, so that lists and not
// candidates are what is independent.
func interval(scores []score) (at, low, high float64) {
	s := ascending(scores)
	at = auc(s, -1)
	lists := 0
	for _, x := range s {
		lists = max(lists, x.list+1)
	}
	var sum, squares float64
	for l := range lists {
		without := auc(s, l)
		sum += without
		squares += without * without
	}
	n := float64(lists)
	half := 1.96 * math.Sqrt((n-1)/n*max(0, squares-sum*sum/n))
	return at, at - half, at + half
}

func TestAUC(t *testing.T) {
	for _, c := range []struct {
		name   string
		scores []score
		want   float64
	}{
		{"always right", []score{{0, true, 2}, {0, false, 1}, {1, true, 2}, {1, false, 0}}, 1},
		{"always wrong", []score{{0, true, 0}, {0, false, 1}}, 0},
		{"says nothing", []score{{0, true, 1}, {0, false, 1}, {1, false, 1}}, 0.5},
		{"one of four pairs wrong", []score{{0, true, 4}, {0, true, 2}, {0, false, 3}, {0, false, 1}}, 0.75},
	} {
		if got := auc(ascending(c.scores), -1); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
