package card

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrAmbiguous: cards lie on several readers and none was named.
var ErrAmbiguous = &fault.Error{Code: "reader.ambiguous"}

// stateLimit is what a capture process may take to tell its devices' state.
const stateLimit = 2 * time.Second

// readerWithCard chooses among several readers the one on which a card lies,
// or comes to lie before wait is over. It returns "" where there is no choice
// to make.
func readerWithCard(ctx context.Context, client *capture.Client, wait time.Duration) (string, error) {
	readers, err := client.Readers(ctx)
	if err != nil || len(readers) < 2 {
		return "", err
	}
	waiting, cancel := context.WithTimeout(ctx, stateLimit+wait)
	defer cancel()
	var cards []string
	synced := false
	for event, err := range client.Events(waiting) {
		if err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				break
			}
			return "", err
		}
		switch event.Kind {
		case capture.CardPresent:
			cards = append(cards, event.DeviceID)
		case capture.Synced:
			synced = true
		}
		if synced && (len(cards) > 0 || wait == 0) {
			break
		}
	}
	switch len(cards) {
	case 0:
		return "", fault.New(capture.ErrCardNone.Code, "no card on any of %d readers", len(readers)).
			WithHint("lay the document on a reader, or give --wait")
	case 1:
		return cards[0], nil
	}
	return "", fault.New(ErrAmbiguous.Code, "cards lie on %d readers", len(cards)).WithHint("name one with --reader")
}
