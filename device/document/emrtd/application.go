package emrtd

import (
	"context"
	"slices"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Data groups with a part of their own in the order of reading.
const (
	groupMRZ    = 1
	groupFinger = 3
	groupIris   = 4
	groupInfos  = 14
	groupAAKey  = 15
)

// lateGroups are read after everything else: the largest, and those that a
// chip gives only to terminals it knows, whose refusal ends some sessions.
var lateGroups = []int{2, 11, 12, 13, 16, 5, 6, 7, 8, 9, 10}

// guardedGroups are what Terminal Authentication is for.
var guardedGroups = []int{groupFinger, groupIris}

// readApplication reads the files in an order that has the zone early (names
// can be asked for while the portrait is on its way) and the portrait under
// the keys of Chip Authentication.
func (r *reader) readApplication(ctx context.Context) error {
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return r.read(ctx, fileCOM) },
		r.listFromCOM,
		func(ctx context.Context) error { return r.readGroup(ctx, groupMRZ, true) },
		func(ctx context.Context) error { return r.readGroup(ctx, groupInfos, len(r.listed) == 0) },
		r.authenticateChip,
		func(ctx context.Context) error { return r.read(ctx, fileSOD) },
		r.confirmChip,
		r.listFromSOD,
		func(ctx context.Context) error { return r.readGroup(ctx, groupInfos, false) }, // EF.COM may have hidden it
		r.authenticateChip,
		func(ctx context.Context) error { return r.readGroup(ctx, groupAAKey, false) },
		r.confirmChip,
		r.authenticateActively,
	}
	for _, n := range lateGroups {
		steps = append(steps, func(ctx context.Context) error { return r.readGroup(ctx, n, false) })
	}
	steps = append(steps, r.authenticateTerminal)
	for _, n := range guardedGroups {
		steps = append(steps, func(ctx context.Context) error { return r.readGroup(ctx, n, false) })
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			r.abandon()
			return err
		}
	}
	return nil
}

// wanted reports whether the caller asked for the file.
func (r *reader) wanted(f File) bool {
	return r.options.Files == nil || slices.Contains(r.options.Files, f.Name)
}

// readGroup reads data group n if it is listed, or in any case where sure is
// true, and if the caller wants it.
func (r *reader) readGroup(ctx context.Context, n int, sure bool) error {
	f := group(n)
	if _, tried := r.reading.Unread[f.Name]; tried || !r.wanted(f) || !sure && !slices.Contains(r.listed, n) {
		return nil
	}
	return r.read(ctx, f)
}

// listFromCOM notes the groups that EF.COM lists.
func (r *reader) listFromCOM(context.Context) error {
	if com, err := lds.ParseCOM(r.reading.Files[fileCOM.Name]); err == nil {
		r.list(com.Groups)
	}
	return nil
}

// listFromSOD notes the groups that EF.SOD has hashes of. What is wrong with
// EF.SOD is for the inspection to say.
func (r *reader) listFromSOD(context.Context) error {
	if hashes := securityObject(r.reading.Files[fileSOD.Name]); hashes != nil {
		r.list(hashes.Groups())
	}
	return nil
}

func securityObject(sod []byte) *lds.SecurityObject {
	cms, _, err := lds.UnwrapSOD(sod)
	if err != nil {
		return nil
	}
	signed, err := pki.ParseSignedData(cms)
	if err != nil {
		return nil
	}
	object, err := lds.ParseSecurityObject(signed.EContent)
	if err != nil {
		return nil
	}
	return object
}

func (r *reader) list(groups []int) {
	for _, n := range groups {
		if n >= 1 && n <= Groups && !slices.Contains(r.listed, n) {
			r.listed = append(r.listed, n)
		}
	}
}

// abandon notes the files whose turn never came.
func (r *reader) abandon() {
	files := []File{fileSOD}
	for _, n := range r.listed {
		files = append(files, group(n))
	}
	for _, f := range files {
		_, read := r.reading.Files[f.Name]
		_, tried := r.reading.Unread[f.Name]
		if !read && !tried && (f == fileSOD || r.wanted(f)) {
			r.reading.Unread[f.Name] = ErrFileNotTried.Code
		}
	}
}

// note adds a proof.
func (r *reader) note(p Proof, err error) {
	if err != nil {
		p.Reason = fault.CodeOf(err)
	}
	r.reading.Proofs = append(r.reading.Proofs, p)
}
