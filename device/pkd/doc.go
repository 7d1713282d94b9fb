// Package pkd downloads what travel documents are judged by from a live
// directory: CSCA master lists, document signer certificates, revocation lists
// and deviation lists, as the ICAO Public Key Directory and national copies of
// it offer them by LDAP (RFC 4511:2006; ICAO PKD interface specification).
//
// The directory is only a carrier. What it sends is taken into a trust store by
// the rules for an LDIF file: a list must be signed by someone whom an anchor
// vouches for, a CRL by an anchor held, a document signer must hang on one, and
// a CSCA by itself is nobody's word. So TLS protects the password and what we
// are interested in, not the verdicts.
//
// A directory is asked first which entries it has and of which version; only
// what is new or changed is fetched. What came before a connection broke is
// kept in a spool and not fetched again. A version below one held is refused.
// Every answer is bounded in octets, entries, pages and time; referrals are
// counted and never followed.
package pkd

import "github.com/watchpost/watchpost/device/fault"

// Errors of a download.
var (
	// ErrURL: not an LDAP URL of the forms that Parse takes.
	ErrURL = &fault.Error{Code: "pkd.url"}
	// ErrConnect: the server cannot be reached, or TLS with it fails.
	ErrConnect = &fault.Error{Code: "pkd.connect", Retryable: true}
	// ErrCleartext: a password would go over a connection without TLS.
	ErrCleartext = &fault.Error{Code: "pkd.cleartext_password"}
	// ErrBind: the server refuses the name or password.
	ErrBind = &fault.Error{Code: "pkd.bind"}
	// ErrBase: the server has no entry of the base's name.
	ErrBase = &fault.Error{Code: "pkd.base"}
	// ErrReferral: the server has nothing itself and points elsewhere.
	ErrReferral = &fault.Error{Code: "pkd.referral"}
	// ErrSearch: the server ended a search with an error.
	ErrSearch = &fault.Error{Code: "pkd.search"}
	// ErrInterrupted: the connection broke or the server fell silent; what came
	// until then is kept for the next time.
	ErrInterrupted = &fault.Error{Code: "pkd.interrupted", Retryable: true}
	// ErrTooLarge: one answer, or all of them, are over the bounds of Limits.
	ErrTooLarge = &fault.Error{Code: "pkd.too_large"}
	// ErrEndless: pages or entries without end or without anything new.
	ErrEndless = &fault.Error{Code: "pkd.endless"}
	// ErrRollback: the directory, or one entry of it, is older than what it
	// showed before.
	ErrRollback = &fault.Error{Code: "pkd.rollback"}
	// ErrBusy: another download into this store is at work.
	ErrBusy = (&fault.Error{Code: "pkd.busy", Retryable: true}).WithHint("another process downloads into this store; try again when it has finished")
	// ErrState: the record of earlier downloads cannot be read or written.
	ErrState = &fault.Error{Code: "pkd.state"}
)
