package admin

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// apiError is the one error form (design section 11).
type apiError struct {
	Code      fault.Code `json:"code"`
	Cause     string     `json:"cause"` // what happened, for an engineer; no personal data
	TextKey   string     `json:"text_key"`
	Hint      string     `json:"hint,omitempty"`
	Retryable bool       `json:"retryable"`
}

// Errors of calls.
var (
	errNowhere  = fault.New("request.not_found", "there is no such path")
	errTooLarge = fault.New("request.too_large", "more than %d bytes", maxBody)
	errRate     = &fault.Error{Code: "request.rate", Hint: "too many calls: wait a second, then try again", Retryable: true}
	errRole     = &fault.Error{Code: "operator.role", Hint: "your role does not allow this"}
	errForm     = &fault.Error{Code: "request.invalid"}
)

// statuses gives a code, or the part before its dot, its HTTP status. What is
// not named cannot be carried out as things stand here: 409.
var statuses = map[fault.Code]int{
	"session.missing":           http.StatusUnauthorized,
	"session.expired":           http.StatusUnauthorized,
	"session.csrf":              http.StatusForbidden,
	"operator.refused":          http.StatusUnauthorized,
	"operator.role":             http.StatusForbidden,
	"officer.too_many_tries":    http.StatusTooManyRequests,
	"request.rate":              http.StatusTooManyRequests,
	"request.not_found":         http.StatusNotFound,
	"request.method":            http.StatusMethodNotAllowed,
	"request.cross_origin":      http.StatusForbidden,
	"request.invalid":           http.StatusBadRequest,
	"request.media_type":        http.StatusUnsupportedMediaType,
	"request.too_large":         http.StatusRequestEntityTooLarge,
	"proposal":                  http.StatusBadRequest,
	"enrol.request":             http.StatusBadRequest,
	"order.form":                http.StatusBadRequest,
	"central.proposal":          http.StatusBadRequest,
	"approve.other_person":      http.StatusForbidden,
	"link.device":               http.StatusNotFound,
	"listfeed.metadata":         http.StatusBadRequest,
	"central.store_unavailable": http.StatusServiceUnavailable,
	"internal":                  http.StatusInternalServerError,
}

func statusOf(code fault.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	part, _, _ := strings.Cut(string(code), ".")
	if status, ok := statuses[fault.Code(part)]; ok {
		return status
	}
	return http.StatusConflict
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	code := fault.CodeOf(err)
	status := statusOf(code)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Cookie realm="watchpost-central"`) // RFC 9110, section 11.6.1
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	send(w, status, apiError{Code: code, Cause: err.Error(), TextKey: code.TextKey(), Hint: fault.HintOf(err), Retryable: fault.IsRetryable(err)})
}

// send answers with a document; nil has no content.
func send(w http.ResponseWriter, status int, v any) {
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client may have gone, which is nobody's fault
}
