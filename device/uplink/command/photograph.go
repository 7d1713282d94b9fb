package command

import "github.com/watchpost/watchpost/device/screening"

var _ screening.Photographer = Source{}

// Photograph implements screening.Photographer where the source beneath does:
// of a record that was recalled, in whatever edition, nothing is shown any more.
func (s Source) Photograph(list, record string, n int) ([]byte, error) {
	holder, ok := s.Source.(screening.Photographer)
	if !ok || s.Ledger.Recalled(list, record, 0) {
		return nil, screening.ErrNoPhotograph
	}
	return holder.Photograph(list, record, n)
}
