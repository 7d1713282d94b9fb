package emrtd

import (
	"context"
	"encoding/binary"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/fault"
)

// Instruction bytes and offsets of READ BINARY (ISO/IEC 7816-4:2020, 11.3.3).
const (
	insSelect        = 0xA4
	insReadBinary    = 0xB0
	insReadBinaryTLV = 0xB1
	sfiBit           = 0x80 // P1: the low bits are a short identifier, not an offset
	maxEvenOffset    = 0x7FFF
	tagOffset        = 0x54
	tagDiscretionary = 0x53
)

// Bounds of one file.
const (
	DefaultMaxFile = 4 << 20 // octets; the largest portrait seen is some 200 KB
	headRoom       = 6       // octets that hold any tag and length
	smallPiece     = 16      // a chip may not make progress by less than this on the average
	spareReads     = 24
)

// transfer is the reading of one file.
type transfer struct {
	file  File
	data  []byte
	total int // octets of the data object with its head; 0 until known
	reads int
}

// wanted returns how many octets are still missing: up to block, or what is
// left of the data object.
func (t *transfer) wanted(block int) int {
	if t.total == 0 {
		return block
	}
	return min(block, t.total-len(t.data))
}

// head looks at the start of the file for the length of its data object.
func (t *transfer) head(limit int) error {
	if t.total != 0 || t.file.Tag == 0 || len(t.data) < 2 {
		return nil
	}
	if t.data[0] == 0x00 || t.data[0] == 0xFF {
		return fault.New(ErrFileBlank.Code, "starts with %02X", t.data[0])
	}
	skip := 1
	if t.data[0]&0x1F == 0x1F {
		skip = 2 // no file of Doc 9303 starts so; its bytes are kept for whoever judges them
	}
	n, size, complete, err := apdu.ParseLength(t.data[skip:])
	switch {
	case err != nil:
		return fault.Wrap(ErrFileLength.Code, err)
	case !complete && len(t.data) >= headRoom:
		return fault.New(ErrFileLength.Code, "length longer than its field")
	case !complete:
		return nil
	case n > uint64(limit):
		return fault.New(ErrFileTooLarge.Code, "%d octets, at most %d accepted", n, limit)
	}
	t.total = skip + size + int(n)
	return nil
}

// done cuts off what lies behind the data object: an EF may be longer.
func (t *transfer) done() bool {
	if t.total == 0 || len(t.data) < t.total {
		return false
	}
	t.data = t.data[:t.total]
	return true
}

// readFile reads one file of the current application, or of the master file.
// It survives a lost session by opening a new one and going on where it was.
// A file without one all-embracing data object is read to its end.
func (r *reader) readFile(ctx context.Context, f File) ([]byte, error) {
	before := r.blocks.limit
	data, err := r.transfer(ctx, f)
	if err != nil && !r.card.broken {
		r.blocks.limit = before // the file was at fault, not the block size
	}
	return data, err
}

func (r *reader) transfer(ctx context.Context, f File) ([]byte, error) {
	t := &transfer{file: f}
	selected := false
	for {
		block := r.blocks.size(r.card.session)
		if len(t.data) > maxEvenOffset {
			block = max(block-maxHead, minStep)
		}
		asked := t.wanted(block)
		if t.reads++; t.reads > spareReads+(max(t.total, len(t.data))/smallPiece) {
			return nil, fault.New(ErrFileEndless.Code, "%d of %d octets after %d reads", len(t.data), t.total, t.reads-1)
		}
		got, status, err := r.piece(ctx, t, asked, &selected)
		switch {
		case lost(err):
			return nil, err
		case err != nil && r.card.broken:
			// The size may have been at fault: 6700 and 6Cxx often come bare.
			if !r.disproven() && !r.blocks.shrink(asked, sizeNamed(r.card.raw), r.card.session) {
				return nil, err
			}
			if err := r.reopen(ctx, err); err != nil {
				return nil, err
			}
			selected = false
			continue
		case err != nil:
			return nil, err
		}
		t.data = append(t.data, got...)
		if err := t.head(r.options.MaxFile); err != nil {
			return nil, err
		}
		if len(got) > 0 {
			r.progress(StageFile, f.Name, len(t.data), t.total)
		}
		if t.done() {
			return t.data, nil
		}
		if finished, err := r.after(t, asked, len(got), status); finished || err != nil {
			return t.data, err
		}
	}
}

// after decides how to go on once a read came back with n octets and status
// and the file is not complete.
func (r *reader) after(t *transfer, asked, n int, status apdu.Status) (finished bool, err error) {
	openEnded := t.file.Tag == 0
	if status == apdu.StatusOK && n > 0 && (n == asked || t.total == 0) {
		return openEnded && n < asked, nil
	}
	if openEnded && len(t.data) > 0 {
		return true, nil // the end of a file whose length nothing tells
	}
	refusal := &apdu.StatusError{Step: "READ BINARY", Status: status}
	switch status {
	case apdu.StatusSecurity, apdu.StatusConditions, apdu.StatusBlocked:
		return false, fault.Wrap(ErrFileDenied.Code, refusal)
	case apdu.StatusFileNotFound, apdu.StatusRecordNotFound:
		return false, fault.Wrap(ErrFileMissing.Code, refusal)
	}
	// Fewer octets than asked, or none: a smaller block may be what the chip
	// wants. What came is kept either way.
	hint := sizeNamed(status)
	if status == apdu.StatusOK && n > 0 {
		hint = max(n, minStep)
	}
	if lengthAtFault(status) && r.blocks.shrink(asked, hint, r.card.session) || n > 0 {
		return false, nil
	}
	switch status {
	case apdu.StatusOK, apdu.StatusEndOfFile, apdu.StatusOffsetOutside:
		return false, fault.Wrap(ErrFileTruncated.Code, refusal)
	}
	return false, fault.Wrap(ErrFileRefused.Code, refusal)
}

// sizeNamed returns the size that a status asks for, 0 where it names none.
func sizeNamed(s apdu.Status) int {
	if le, ok := s.RightLe(); ok {
		return le
	}
	return 0
}

// lengthAtFault reports whether chips are known to answer so because too much
// was asked for at once.
func lengthAtFault(s apdu.Status) bool {
	switch s {
	case apdu.StatusOK, apdu.StatusEndOfFile, apdu.StatusWrongLength, apdu.StatusOffsetOutside,
		apdu.StatusNcInconsistent, apdu.StatusUnspecified:
		return true
	}
	_, right := s.RightLe()
	return right
}

// piece reads up to asked octets at the transfer's offset. selected tells
// whether the file is the card's current one.
func (r *reader) piece(ctx context.Context, t *transfer, asked int, selected *bool) ([]byte, apdu.Status, error) {
	offset, refused := len(t.data), false
	if !*selected {
		if offset == 0 && t.file.SFI != 0 && r.bySFI != never {
			resp, err := r.card.send(ctx, apdu.Command{INS: insReadBinary, P1: sfiBit | t.file.SFI, Ne: asked})
			if err != nil {
				return nil, 0, err
			}
			if len(resp.Data) > 0 {
				r.bySFI = always
			}
			if r.bySFI == always {
				// Without data nothing shows that the file has become the current one.
				*selected = len(resp.Data) > 0
				return checked(resp, asked)
			}
			refused = !lengthAtFault(resp.Status)
		}
		resp, err := r.selectFile(ctx, t.file)
		if err != nil || resp.Status != apdu.StatusOK {
			return nil, resp.Status, err
		}
		*selected = true
		if refused {
			r.bySFI = never
		}
	}
	if offset <= maxEvenOffset {
		// P1 stays below 80: bit 8 would make it a short identifier.
		resp, err := r.card.send(ctx, apdu.Command{INS: insReadBinary, P1: byte(offset >> 8), P2: byte(offset), Ne: asked})
		if err != nil {
			return nil, 0, err
		}
		return checked(resp, asked)
	}
	return r.pieceTLV(ctx, offset, asked)
}

// pieceTLV reads at offsets over 32,767, with the offset in DO'54' and the
// octets in DO'53' (Doc 9303-10, 3.6.6).
func (r *reader) pieceTLV(ctx context.Context, offset, asked int) ([]byte, apdu.Status, error) {
	position := binary.BigEndian.AppendUint32(nil, uint32(offset))
	for len(position) > 2 && position[0] == 0 {
		position = position[1:]
	}
	head := len(apdu.AppendTLV(nil, tagDiscretionary, make([]byte, asked))) - asked
	resp, err := r.card.send(ctx, apdu.Command{
		INS: insReadBinaryTLV, Data: apdu.AppendTLV(nil, tagOffset, position), Ne: head + asked,
	})
	if err != nil || len(resp.Data) == 0 {
		return nil, resp.Status, err
	}
	tag, value, rest, err := apdu.NextTLV(resp.Data)
	if err != nil || tag != tagDiscretionary || len(rest) != 0 {
		return nil, 0, fault.New(ErrFileOffset.Code, "answer to READ BINARY at %d is not one data object 53", offset)
	}
	resp.Data = value
	return checked(resp, asked)
}

// checked refuses more octets than were asked for: they would be taken for
// others than they are.
func checked(resp apdu.Response, asked int) ([]byte, apdu.Status, error) {
	if len(resp.Data) > asked {
		return nil, 0, fault.New(ErrFileOverlong.Code, "%d octets where %d were asked for", len(resp.Data), asked)
	}
	return resp.Data, resp.Status, nil
}

// sfiUse is whether the card reads by short identifier. A refusal is only
// believed of a card that has been seen to know short identifiers; with any
// other the file is selected instead.
type sfiUse uint8

const (
	untested sfiUse = 0
	always   sfiUse = 1
	never    sfiUse = 2
)

func (r *reader) selectFile(ctx context.Context, f File) (apdu.Response, error) {
	return r.card.send(ctx, apdu.Command{INS: insSelect, P1: 0x02, P2: 0x0C, Data: binary.BigEndian.AppendUint16(nil, f.ID)})
}
