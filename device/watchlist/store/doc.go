// Package store keeps list generations on disk: sealed, whole, and one at a
// time in force.
//
// A list has a folder. In it, each generation is a folder of its own, written
// under another name, synced and renamed, and CURRENT names the one in force:
//
//	LOCK                   flock of the one process that has the list open
//	CURRENT                "gen-00000000000000000042\n"
//	gen-00000000000000000042/
//	    meta.json          list, generation, wrapped key; sealed: owner, counts, file table with SHA-256
//	    records.db         sealed blocks of 16 KiB with the sealed records, in order of HMAC(K_index, id)
//	    index-00000.chunk  sealed: which record begins where
//	    faces-00000.chunk  sealed face templates with their record keys
//	    fingers-00000.chunk  sealed packed prints with their record keys and positions
//	    documents-00000.chunk  sealed, sorted table of document number hashes
//	    photographs.db     sealed blocks of 16 KiB with one photograph each, where the list holds any
//
// Life of one record: Builder.Add fills in nothing and strips what the list
// says for all; the JSON is sealed with AES-256-GCM under the generation's key
// with list, generation, record key and schema in the additional data, and
// spilled; Finish sorts by key and packs the sealed records into blocks, which
// are sealed again, so that no file shows where one ends; Dir.Adopt copies the
// folder beside the others, checks every byte against the sealed file table,
// and moves CURRENT; Generation.Get opens and decodes.
//
// What the files still tell without a key: which list it is, its generation,
// when it changed, and the size of its tables by classes with noise.
// README.md says how that was measured.
package store

import "github.com/watchpost/watchpost/device/fault"

// What can go wrong with a list on disk. A wrong list key cannot be told from
// a damaged wrapped key and is vault.open.
var (
	// ErrDamaged says that files of a generation are missing, cut, changed or
	// of another generation. The list must be applied again.
	ErrDamaged = &fault.Error{Code: "store.damaged"}
	// ErrLocked says that another process has the list open.
	ErrLocked = &fault.Error{Code: "store.locked"}
	// ErrEmpty says that no generation has been applied.
	ErrEmpty = &fault.Error{Code: "store.empty"}
	// ErrRollback says that a generation is older than one known before.
	ErrRollback = &fault.Error{Code: "store.rollback"}
	// ErrNotFound says that a generation holds no record of an identifier.
	ErrNotFound = &fault.Error{Code: "store.not_found"}
	// ErrUncertain says that the disk failed at the last moment of a swap: the
	// generation in force is the old or the new one, and whole.
	ErrUncertain = &fault.Error{Code: "store.uncertain", Hint: "the disk failed while a list was replaced: look at it, then apply the list again"}
	// ErrFormat says that a generation is of a version that this program does
	// not know.
	ErrFormat = &fault.Error{Code: "store.format"}
)

func damaged(format string, args ...any) error {
	return fault.New("store.damaged", format, args...).WithHint("remove the list's folder below lists/ of the state folder and start the post: it applies the list again from its provisioning folder")
}
