package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/fault"
)

// apiError is the one error form (design section 11).
type apiError struct {
	status    int
	allow     string     // methods of the path, with 405
	Code      fault.Code `json:"code" doc:"stable code" example:"encounter.state"`
	Cause     string     `json:"cause" doc:"what happened, for an engineer; no personal data"`
	TextKey   string     `json:"text_key" doc:"key of the text for people"`
	Hint      string     `json:"hint,omitempty" doc:"what to do, in English"`
	Retryable bool       `json:"retryable" doc:"the same call may succeed later"`
}

func (e *apiError) Error() string  { return string(e.Code) + ": " + e.Cause }
func (e *apiError) GetStatus() int { return e.status }

// ContentType keeps the plain JSON type.
func (e *apiError) ContentType(string) string { return "application/json" }

// headers gives set what an error carries beside its body.
func (e *apiError) headers(set func(name, value string)) {
	switch e.status {
	case http.StatusUnauthorized:
		set("WWW-Authenticate", `Bearer realm="watchpost"`) // RFC 9110, section 11.6.1
	case http.StatusTooManyRequests:
		set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		set("Allow", e.allow) // RFC 9110, section 15.5.6
	}
}

// statuses gives a code, or the part before its dot, its HTTP status. What is
// not named cannot be carried out as things stand here: 409. What does not fit
// the description at all is huma's to refuse: 422.
var statuses = map[string]int{
	"session.missing":             http.StatusUnauthorized,
	"session.expired":             http.StatusUnauthorized,
	"session.csrf":                http.StatusForbidden,
	"officer.refused":             http.StatusUnauthorized,
	"officer.expired":             http.StatusUnauthorized,
	"officer.revoked":             http.StatusUnauthorized,
	"officer.role":                http.StatusForbidden,
	"officer.limit":               http.StatusTooManyRequests,
	"officer.too_many_tries":      http.StatusTooManyRequests,
	"request.rate":                http.StatusTooManyRequests,
	"request.not_found":           http.StatusNotFound,
	"request.method":              http.StatusMethodNotAllowed,
	"request.cross_origin":        http.StatusForbidden,
	"request.invalid":             http.StatusBadRequest,
	"request.too_large":           http.StatusRequestEntityTooLarge,
	"encounter.not_found":         http.StatusNotFound,
	"encounter.no_such_step":      http.StatusNotFound,
	"encounter.no_such_candidate": http.StatusNotFound,
	"encounter.no_picture":        http.StatusNotFound,
	"encounter.no_evidence":       http.StatusNotFound,
	"source.no_photograph":        http.StatusNotFound,
	"passkey.not_found":           http.StatusNotFound,
	"passkey.refused":             http.StatusUnauthorized,
	"preview.too_many":            http.StatusTooManyRequests,
	"post.stopping":               http.StatusServiceUnavailable,
	"vault.locked":                http.StatusServiceUnavailable,
	"vault.pin":                   http.StatusUnauthorized,
	"vault.pin_none":              http.StatusUnauthorized,
	"vault.passphrase":            http.StatusUnauthorized,
	"vault.hardware_key":          http.StatusUnauthorized,
	"tpm.lockout":                 http.StatusTooManyRequests,
	"store.full":                  http.StatusInsufficientStorage,
	"store":                       http.StatusInternalServerError,
	"internal":                    http.StatusInternalServerError,
}

// fail turns an error into the one form.
func fail(err error) error {
	if err == nil {
		return nil
	}
	return coded(err)
}

// coded is fail for an error that is there.
func coded(err error) *apiError {
	code := fault.CodeOf(err)
	part, _, _ := strings.Cut(string(code), ".")
	status, ok := statuses[string(code)]
	if !ok {
		status, ok = statuses[part]
	}
	if !ok {
		status = http.StatusConflict
	}
	return &apiError{status: status, Code: code, Cause: err.Error(), TextKey: code.TextKey(), Hint: fault.HintOf(err), Retryable: fault.IsRetryable(err)}
}

// answer writes an error where huma does not.
func answer(w http.ResponseWriter, e *apiError) {
	w.Header().Set("Content-Type", "application/json")
	e.headers(w.Header().Set)
	w.WriteHeader(e.status)
	writeJSON(w, e)
}

var oneForm sync.Once

// useOneErrorForm makes huma's own complaints (a body that does not fit the
// schema) come in the same form. huma offers only a package variable for it;
// it is set once, to the same function, before the first API exists.
func useOneErrorForm() {
	oneForm.Do(func() {
		huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
			if slices.ContainsFunc(errs, func(err error) bool { return errors.As(err, new(*http.MaxBytesError)) }) {
				status = http.StatusRequestEntityTooLarge // huma takes it for a failure of its own
			}
			code := fault.Code("request.invalid")
			switch status {
			case http.StatusNotFound:
				code = "request.not_found"
			case http.StatusInternalServerError:
				code = fault.Unknown
			case http.StatusRequestEntityTooLarge:
				code = "request.too_large"
			case http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
				code = "request.media_type"
			}
			where := []string{msg}
			for _, err := range errs {
				var d *huma.ErrorDetail
				if errors.As(err, &d) {
					// The value is left out: it may be an MRZ.
					where = append(where, d.Location+": "+d.Message)
				}
			}
			return &apiError{status: status, Code: code, Cause: strings.Join(where, "; "), TextKey: code.TextKey()}
		}
	})
}
