// Package trust keeps the certificates that travel documents are judged by:
// CSCA and link certificates with where each came from, revocation lists and
// deviation lists, and finds the chain of a document signer in them
// (ICAO Doc 9303-12, 8th edition 2021).
//
// A store is a folder that one process at a time fills (Importer) and any
// number read (Open). Its index is one file, replaced by rename, so that a
// reader sees the state before or after an import and nothing between. This is
// the laboratory store of design section 7: whoever may write the folder
// decides what is trusted. A post takes its anchors as signed targets.
package trust

import "github.com/watchpost/watchpost/device/fault"

// Errors of a store.
var (
	// ErrLocked: another process is importing.
	ErrLocked = (&fault.Error{Code: "store.locked", Retryable: true}).WithHint("another process holds this store; try again when it has finished")
	// ErrNoStore: the folder holds no trust store.
	ErrNoStore = &fault.Error{Code: "trust.no_store"}
	// ErrDamaged: the store's files are not what was written.
	ErrDamaged = &fault.Error{Code: "trust.damaged"}
	// ErrWrite: the store could not be written; what it held before stands.
	ErrWrite = &fault.Error{Code: "trust.write"}
)

// Errors of one imported file, or of one certificate in it.
var (
	// ErrFile: the file could not be read.
	ErrFile = &fault.Error{Code: "trust.file"}
	// ErrUnrecognized: the file is none of the kinds that a store takes.
	ErrUnrecognized = &fault.Error{Code: "trust.unrecognized"}
	// ErrTooLarge: the file is over MaxFileBytes.
	ErrTooLarge = &fault.Error{Code: "trust.too_large"}
	// ErrSignature: a list or CRL whose signature, or signed content, does not verify.
	ErrSignature = &fault.Error{Code: "trust.signature"}
	// ErrUnanchored: no given or held CSCA vouches for the signer.
	ErrUnanchored = &fault.Error{Code: "trust.unanchored"}
	// ErrSignerUsage: the signer's certificate is not meant for signing such lists.
	ErrSignerUsage = &fault.Error{Code: "trust.signer_usage"}
	// ErrForeign: certificates of other countries in a list out of a directory
	// that no pin vouches for; those of the publisher's own were taken.
	ErrForeign = (&fault.Error{Code: "trust.foreign"}).WithHint("give the publisher's CSCA with --anchor to take what its list says of other countries")
	// ErrRollback: an edition older than the one held.
	ErrRollback = &fault.Error{Code: "trust.rollback"}
	// ErrList: a list whose signed content is not of its kind.
	ErrList = &fault.Error{Code: "trust.list"}
	// ErrNotCSCA: a certificate in a master list that cannot issue others.
	ErrNotCSCA = &fault.Error{Code: "trust.not_csca"}
	// ErrSelfSignature: a certificate that claims to be self-signed and is not.
	ErrSelfSignature = &fault.Error{Code: "trust.self_signature"}
)
