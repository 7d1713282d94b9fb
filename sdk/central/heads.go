package central

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// DefaultHeadsLate is three of the intervals at which posts sign heads when
// nothing is configured (device/config): one may be lost to a bad link.
const DefaultHeadsLate = 30 * time.Minute

// takeHead keeps a post's head and signs the receipt for it.
func (s *Service) takeHead(ctx context.Context, post string, r *linkv1.HeadRequest) (*linkv1.HeadResponse, error) {
	sub := witness.Submission{Head: r.Head, From: r.From}
	if len(r.Head) > checkpoint.MaxBytes || len(r.Proof) > witness.MaxProof || len(r.Key) > maxText {
		return nil, fault.New("call.invalid", "a head, a proof or a key is too large")
	}
	for _, h := range r.Proof {
		if len(h) != tlog.HashSize {
			return nil, fault.New("call.invalid", "a proof is of hashes of %d bytes", tlog.HashSize)
		}
		sub.Proof = append(sub.Proof, tlog.Hash(h))
	}
	head, ms, err := s.o.Records.TakeHead(ctx, post, r.Key, sub)
	var held *witness.HeldError
	switch {
	case errors.As(err, &held):
		return &linkv1.HeadResponse{Held: held.Lines}, nil
	case errors.Is(err, store.ErrUnavailable):
		return nil, fault.Wrap("sink.unavailable", err)
	case err != nil:
		s.o.Log.Error("head of an audit log refused", "post", post, "code", string(fault.CodeOf(err)))
		return nil, err
	}
	sum := sha256.Sum256(r.Head)
	text, signature, err := s.o.Identity.SignReceipt(&linkv1.Receipt{
		Post: post, Id: "head/" + strconv.FormatInt(head.Number, 10), RequestSha256: sum[:], CommittedMs: ms,
	})
	if err != nil {
		return nil, fault.Wrap("central.sign", err)
	}
	return &linkv1.HeadResponse{Receipt: text, Signature: signature, Held: head.Lines}, nil
}

// lookEvery is how often central looks for posts whose heads are late.
const lookEvery = time.Minute

// watchHeads alarms when a post shows no head for longer than late. It looks
// until the returned function is called.
func watchHeads(s *store.Store, late time.Duration, log *slog.Logger) (stop func() error) {
	if late == 0 {
		late = DefaultHeadsLate
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(min(lookEvery, late))
		defer tick.Stop()
		for {
			posts, err := s.LateHeads(ctx, late)
			for _, post := range posts {
				log.Error("no head of an audit log", "post", post, "code", "audit.head_late", "since", late.String())
			}
			if err != nil && ctx.Err() == nil {
				log.Warn("heads not looked at", "code", string(fault.CodeOf(err)))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() error { cancel(); <-done; return nil }
}
