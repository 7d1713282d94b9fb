package store

import (
	"errors"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
)

// coded gives an error of the database a code; errors that have one keep it.
func coded(err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(ErrFull.Code, "%w", err).WithHint(ErrFull.Hint)
	case errors.As(err, &f):
		return err
	default:
		return fault.Wrap("store.failed", err)
	}
}
