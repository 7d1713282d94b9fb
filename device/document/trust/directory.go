package trust

import "cmp"

// Value is one attribute value out of a live directory.
type Value struct {
	Entry     string // distinguished name
	Attribute string // without options
	Raw       []byte
}

// Directory takes the values of a directory named name by the rules for an
// LDIF file: a CSCA in it is no anchor by itself. refused has, for each value,
// why it was not taken, nil where it was; ErrForeign
// where a part was. What was taken is on disk after
// Commit.
func (im *Importer) Directory(name string, values []Value) (r Result, refused []error) {
	b := &batch{store: im.store.clone(), pins: im.pins, file: name, fileKind: FileLDAP, result: Result{Kind: FileLDAP}, blobs: map[string][]byte{}}
	items := make([]item, 0, len(values))
	for _, v := range values {
		it := readItem(v.Raw)
		it.entry = v.Entry
		items = append(items, it)
	}
	b.take(items)
	for _, it := range items {
		refused = append(refused, cmp.Or(it.err, it.partly))
	}
	for digest, blob := range b.blobs {
		im.blobs[digest] = blob
	}
	if b.changed {
		im.store, im.dirty = b.store, true
	}
	return b.result, refused
}
