package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strconv"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Heads is central as a witness of the post's audit log.
type Heads struct {
	Link *Link
	Key  string // the post's audit key as text; central keeps the first it sees
}

// Show shows central a head and checks the receipt for it. Errors are those of
// courier.Witness.
func (h Heads) Show(ctx context.Context, s witness.Submission) error {
	head, err := checkpoint.Parse(s.Head)
	if err != nil {
		return err
	}
	request := &linkv1.HeadRequest{Head: s.Head, From: s.From, Key: h.Key}
	for _, p := range s.Proof {
		request.Proof = append(request.Proof, p[:])
	}
	a, err := h.Link.call(ctx, linkv1.DeliverSubject(h.Link.o.Post), &linkv1.Call{
		PatienceMs: uint32(deliverLimit.Milliseconds()), What: &linkv1.Call_Head{Head: request},
	})
	if err != nil {
		return err
	}
	d := a.GetHead()
	if d == nil {
		return fault.New(ErrReply.Code, "an answer to another call").AsRetryable()
	}
	if d.Receipt == "" {
		return &witness.HeldError{Lines: d.Held}
	}
	receipt, err := linkv1.OpenReceipt(h.Link.o.SignKey, d.Receipt, d.Signature)
	if err != nil {
		return fault.New("link.receipt", "%w", err).AsRetryable()
	}
	sum := sha256.Sum256(s.Head)
	if receipt.Post != h.Link.o.Post || receipt.Id != "head/"+strconv.FormatInt(head.Number, 10) || !bytes.Equal(receipt.RequestSha256, sum[:]) {
		return fault.New("link.receipt", "a receipt for something else").AsRetryable()
	}
	return nil
}
