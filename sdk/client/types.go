package client

import (
	"encoding/json"
	"time"
)

// Event is one thing that happened at the post.
type Event struct {
	Seq       uint64          `json:"seq"`
	Time      time.Time       `json:"time"`
	Encounter string          `json:"encounter"`
	Kind      string          `json:"kind"`
	Data      json.RawMessage `json:"data"`
}

// Check is one check of the document.
type Check struct {
	Code   string `json:"code"`
	Result string `json:"result"` // pass, fail, not-assessable, not-performed, unknown
	Reason string `json:"reason"`
	Clause string `json:"clause"`
}

// Inspection is the verdict on the document, check by check.
type Inspection struct {
	Document struct {
		Type   string `json:"type"`
		Issuer string `json:"issuer"`
		Number string `json:"number"`
		Expiry string `json:"expiry"`
	} `json:"document"`
	Access struct {
		Protocol string `json:"protocol"`
		Cipher   string `json:"cipher"`
	} `json:"access"`
	Checks []Check `json:"checks"`
}

// Result returns the result of the check of that code, "" if it was not made.
func (i *Inspection) Result(code string) string {
	if i == nil {
		return ""
	}
	for _, c := range i.Checks {
		if c.Code == code {
			return c.Result
		}
	}
	return ""
}

// Score is how well one modality of a record fits.
type Score struct {
	Modality string  `json:"modality"`
	Value    float64 `json:"value"`
	FMR      float64 `json:"fmr"`
	FPIR     float64 `json:"fpir"`
	Explain  string  `json:"explain"`
}

// Candidate is a record that the person may be.
type Candidate struct {
	List     string  `json:"list"`
	Record   string  `json:"record"`
	Owner    string  `json:"owner"`
	Handling string  `json:"handling"`
	Name     string  `json:"name"`
	Scores   []Score `json:"scores"`
	Finding  string  `json:"finding"`
}

// Reason is one line of the advice.
type Reason struct {
	Source   string `json:"source"`
	Code     string `json:"code"`
	Result   string `json:"result"`
	Reason   string `json:"reason"`
	Clause   string `json:"clause"`
	Severity string `json:"severity"`
}

// Step is one step of an encounter.
type Step struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Code   string `json:"code"`
	Hint   string `json:"hint"`
	Millis int64  `json:"millis"`
}

// Finger is how far one finger is.
type Finger struct {
	Position  int    `json:"position"` // 1 right thumb to 10 left little finger
	State     string `json:"state"`    // open, running, taken, failed, excepted, not_taken
	Tries     int    `json:"tries"`
	Quality   int    `json:"quality"`
	Code      string `json:"code"`
	Hint      string `json:"hint"`
	Advice    string `json:"advice"`
	Exception string `json:"exception"`
}

// Encounter is one person at the post.
type Encounter struct {
	ID         string      `json:"id"`
	State      string      `json:"state"` // collecting, screening, review, closed
	Steps      []Step      `json:"steps"`
	Inspection *Inspection `json:"inspection"`
	Face       *struct {
		Frames  int `json:"frames"`
		Quality int `json:"quality"`
	} `json:"face"`
	Fingers    []Finger `json:"fingers"`
	Comparison *struct {
		Score     float64 `json:"score"`
		FMR       float64 `json:"fmr"`
		Threshold float64 `json:"threshold"`
		Match     bool    `json:"match"`
		Vouched   bool    `json:"vouched"`
	} `json:"comparison"`
	// Presentation is what came of challenges against presentation attacks, nil
	// where the post's policy asks for none.
	Presentation *struct {
		Tries int    `json:"tries"`
		Of    int    `json:"of"`
		Kind  string `json:"kind"` // of the last one: flash, turn, blink
		Check Check  `json:"check"`
	} `json:"presentation"`
	Answer     string      `json:"answer"` // clear, candidates, not-verified, unknown
	Missing    []string    `json:"missing"`
	AnswerMS   int64       `json:"answer_ms"`
	Candidates []Candidate `json:"candidates"`
	Advice     *struct {
		Clear   bool     `json:"clear"`
		Reasons []Reason `json:"reasons"`
	} `json:"advice"`
	Decision *struct {
		Outcome  string `json:"outcome"`
		Officer  string `json:"officer"`
		Reason   string `json:"reason"`
		Override bool   `json:"override"`
	} `json:"decision"`
}

// System is the state of the post.
type System struct {
	Post      string    `json:"post"`
	Workplace string    `json:"workplace"`
	Started   time.Time `json:"started"`
	ReadyMS   int64     `json:"ready_ms"`
	Policy    string    `json:"policy"`
	Lists     []struct {
		List       string    `json:"list"`
		Owner      string    `json:"owner"`
		Generation uint64    `json:"generation"`
		Issued     time.Time `json:"issued"`
		Stale      bool      `json:"stale"`
		Records    int       `json:"records"`
		Faces      int       `json:"faces"`
		Documents  int       `json:"documents"`
	} `json:"lists"`
	Devices []struct {
		ID, Kind, Name, State string
	} `json:"devices"`
	Link   string `json:"link"`   // to central: none, up, down
	Outbox int    `json:"outbox"` // outcomes waiting for central's receipt
}
