package courier

import (
	"context"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/witness"
)

// Medium is a folder on a removable medium as a witness. It may be plugged in
// and pulled out at any time.
type Medium struct {
	Dir    string
	Origin string
	Key    note.Verifier // of the post itself: what is written must be readable later
}

var _ Witness = Medium{}

// Show implements Witness.
func (m Medium) Show(_ context.Context, s witness.Submission) error {
	f, err := witness.OpenFolder(m.Dir)
	if err != nil {
		return err
	}
	return f.Add(s, m.Origin, m.Key)
}
