package finger

import (
	"fmt"
	"image"
	"slices"

	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

// Lay is how several fingers are laid down at once.
type Lay string

// Ways to lay a hand down.
const (
	Whole     Lay = "whole"      // as asked for
	OtherHand Lay = "other_hand" // the other hand; for thumbs the right one's four
	Lacking   Lay = "lacking"    // one finger stays off: the ring finger, of thumbs the left
	Twice     Lay = "twice"      // the first finger at the second one's place, too
	// Posing is the other hand's fingers that lie as those of the hand that was
	// asked for; for thumbs the right index finger at both places.
	Posing Lay = "posing"
	Turned Lay = "turned" // as asked for, turned by 25 degrees
)

// Slap is what a scanner of 3.2 by 3.0 inches at slaps.DPI sees of a hand: 13 right
// four, 14 left four, 15 both thumbs. The same person, code, way and time give the
// same picture. Fingers are laid down as Good has them.
func (p *Person) Slap(code int, lay Lay, time uint64) (*image.Gray, error) {
	hands := map[int][]int{slaps.RightFour: {2, 3, 4, 5}, slaps.LeftFour: {10, 9, 8, 7}, slaps.TwoThumbs: {6, 1}}
	other := map[int]int{slaps.RightFour: slaps.LeftFour, slaps.LeftFour: slaps.RightFour, slaps.TwoThumbs: slaps.RightFour}
	lack := map[int]int{slaps.RightFour: 4, slaps.LeftFour: 9, slaps.TwoThumbs: 6}
	layout := slaps.Layout{Code: code, Gap: 2, Rotation: 5, Ordered: true, Natural: true}
	fingers := slices.Clone(hands[code])
	if fingers == nil {
		return nil, fmt.Errorf("no slap %d", code)
	}
	switch lay {
	case Whole:
	case OtherHand:
		layout.Code, fingers = other[code], hands[other[code]]
	case Lacking:
		layout.Missing = lack[code]
	case Twice:
		fingers[1] = fingers[0]
	case Posing:
		// The index finger lies at the index finger's place: the other way round.
		fingers = slices.Clone(hands[other[code]])
		slices.Reverse(fingers)
		if code == slaps.TwoThumbs {
			fingers = []int{2, 2}
		}
	case Turned:
		layout.Rotation = 25
	default:
		return nil, fmt.Errorf("no way %q to lay a hand down", lay)
	}
	list := make([]*slaps.Print, 4)
	for i := range list {
		print, err := p.Print(fingers[min(i, len(fingers)-1)], Good, time)
		if err != nil {
			return nil, err
		}
		list[i] = slaps.NewPrint(print, prints.DPI)
	}
	picture, _ := slaps.Compose(list, layout, p.seed*31+uint64(code)*7+time)
	return picture, nil
}
