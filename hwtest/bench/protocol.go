package bench

import (
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// The helper's line: one JSON object a message, requests on its standard
// input, replies and events on its standard output. The end of its input ends
// it.

// request asks the helper to do something with a slot.
type request struct {
	ID       int                `json:"id"` // from 1
	Op       string             `json:"op"` // "insert", "remove", "unplug" or "plug"
	Slot     int                `json:"slot"`
	Document *passport.Document `json:"document,omitempty"` // of insert
}

// message is what the helper says: the reply to a request, or with ID 0 that
// it is ready, that it could not start, or an event.
type message struct {
	ID    int       `json:"id,omitempty"`
	Ready bool      `json:"ready,omitempty"`
	Event *Event    `json:"event,omitempty"`
	Error *faultMsg `json:"error,omitempty"`
}

// faultMsg is a coded error on its way between processes.
type faultMsg struct {
	Code fault.Code `json:"code"`
	Text string     `json:"text"`
	Hint string     `json:"hint,omitempty"`
}

func toMessage(err error) *faultMsg {
	if err == nil {
		return nil
	}
	return &faultMsg{Code: fault.CodeOf(err), Text: err.Error(), Hint: fault.HintOf(err)}
}

func (m *faultMsg) err() error {
	if m == nil {
		return nil
	}
	return fault.New(m.Code, "inside the bench: %s", m.Text).WithHint(m.Hint)
}
