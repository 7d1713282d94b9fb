package web

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/biometric/quality"
)

// coachRetry is how long a camera or an engine that gives no measures is left
// in peace: the preview works without them.
const coachRetry = 2 * time.Second

// CoachMessage is what a preview says of the face in it, as text between the
// frames.
type CoachMessage struct {
	// Advice is a text key: one of package quality's, "" where nothing has to be
	// done. It stays until two looks in a row say something else.
	Advice   string            `json:"advice"`
	Measures []quality.Looking `json:"measures"` // empty where no face is seen
}

// coach keeps the newest message in newest until ctx ends.
func (s *Server) coach(ctx context.Context, newest chan CoachMessage) {
	for {
		var advice quality.Coaching
		for looked, err := range s.backend.Looks(ctx) {
			if err != nil || ctx.Err() != nil {
				break
			}
			m := CoachMessage{Advice: advice.Next(looked), Measures: looked}
			if m.Measures == nil {
				m.Measures = []quality.Looking{}
			}
			select {
			case <-newest: // older than m
			default:
			}
			newest <- m // the only sender: there is room
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(coachRetry):
		}
	}
}
