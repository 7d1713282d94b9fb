package web

import (
	"net/http"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrLocked answers every call while the keys of the post are locked.
var ErrLocked = &fault.Error{Code: "vault.locked", Retryable: true,
	Hint: "the post is locked: sign in to unlock it, or unlock it on the box with: watchpost keys unlock"}

// NewLocked returns what stands behind the doors while the keys are locked:
// the page, and vault.locked for every call.
func NewLocked(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		if !strings.HasPrefix(r.URL.Path, apiPrefix) && page != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			page.ServeHTTP(w, r)
			return
		}
		AnswerError(w, ErrLocked)
	})
}

// AnswerError writes err in the one form of errors, for calls that are
// answered beside the API.
func AnswerError(w http.ResponseWriter, err error) {
	w.Header().Set("Cache-Control", "no-store")
	answer(w, coded(err))
}
