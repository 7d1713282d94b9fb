package witness

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

// Server is a witness of the logs that it was told of. It is safe for
// concurrent use.
type Server struct {
	Folder *witness.Folder
	Logs   map[string][]note.Verifier // keys by origin
	Key    *checkpoint.Cosigner
	Now    func() time.Time
	Log    *slog.Logger
}

var _ http.Handler = (*Server)(nil)

// ServeHTTP answers add-checkpoint below any prefix, and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != addPath {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, witness.MaxRequest))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	line, status, err := s.add(raw)
	if err != nil {
		s.Log.Warn("head not cosigned", "code", string(fault.CodeOf(err)), "status", status)
		var held *witness.HeldError
		if errors.As(err, &held) {
			w.Header().Set("Content-Type", sizeType)
			w.WriteHeader(status)
			fmt.Fprintf(w, "%d\n", held.Lines)
			return
		}
		http.Error(w, string(fault.CodeOf(err)), status)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(line) // a client that has gone shows the head again
}

// add takes a request and returns the cosignature, or the status that
// c2sp.org/tlog-witness gives the error.
func (s *Server) add(raw []byte) ([]byte, int, error) {
	sub, err := witness.Decode(raw)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	head, err := checkpoint.Parse(sub.Head)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	keys, known := s.Logs[head.Origin]
	if !known {
		return nil, http.StatusNotFound, fault.New(witness.ErrUnknown.Code, "the log is not one of those witnessed")
	}
	if err := s.Folder.Add(sub, head.Origin, keys...); err != nil {
		err = s.held(err, head, sub)
		return nil, statusOf(err), err
	}
	line, err := s.Key.Cosign(sub.Head, s.Now())
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	s.Log.Info("head cosigned", "log", head.Origin, "lines", head.Lines, "number", strconv.FormatInt(head.Number, 10))
	return line, http.StatusOK, nil
}

// held turns two refusals into what the protocol answers to them: the size
// that is held.
func (s *Server) held(err error, head checkpoint.Checkpoint, sub witness.Submission) error {
	last, lerr := s.Folder.Last(head.Origin)
	if lerr != nil || last == nil {
		return err
	}
	if code := fault.CodeOf(err); code == witness.ErrReplayed.Code || code == witness.ErrFork.Code && head.Lines == last.Lines && sub.From == last.Lines {
		return errors.Join(&witness.HeldError{Lines: last.Lines}, err)
	}
	return err
}

// statusOf is the answer that the protocol asks for.
func statusOf(err error) int {
	if errors.As(err, new(*witness.HeldError)) {
		return http.StatusConflict
	}
	switch fault.CodeOf(err) {
	case checkpoint.ErrKey.Code, checkpoint.ErrForged.Code, checkpoint.ErrOrigin.Code:
		return http.StatusForbidden
	case witness.ErrReplayed.Code:
		return http.StatusConflict
	case witness.ErrFork.Code:
		return http.StatusUnprocessableEntity
	case witness.ErrSize.Code, checkpoint.ErrForm.Code:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
