// Package remote carries the questions to an inspection system's key
// (termauth.ISKey) over a byte stream: one JSON object a line each way, a
// question and its answer in turn.
//
//	{"authorities":["UTCVCA00001"]}   →  {"certificates":["<base64 of 7F21>",...]}
//	{"sign":"<base64>"}               →  {"signature":"<base64>"}
//	                                  or {"error":"what was wrong"}
//
// It opens nothing itself: whoever dials decides what the stream is.
package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/fault"
)

// Errors of the stream.
var (
	ErrLine    = &fault.Error{Code: "is_key.line"}    // the other side is gone, or too slow
	ErrAnswer  = &fault.Error{Code: "is_key.answer"}  // an answer that is none
	ErrRefused = &fault.Error{Code: "is_key.refused"} // the holder of the key refused
)

// maxLine bounds one question or answer in octets: a chain of eight
// certificates of RSA-4096 in base64.
const maxLine = 128 << 10

// answerTime bounds the wait for one answer where the context has no earlier end.
const answerTime = 10 * time.Second

type question struct {
	Authorities []string `json:"authorities,omitempty"`
	Sign        []byte   `json:"sign,omitempty"`
}

type answer struct {
	Certificates [][]byte `json:"certificates,omitempty"`
	Signature    []byte   `json:"signature,omitempty"`
	Error        string   `json:"error,omitempty"`
}

// Stream is a connection to the holder of the key.
type Stream interface {
	io.ReadWriter
	SetDeadline(time.Time) error
}

// Key is the key at the other end of a stream. It is for one goroutine. After
// an error of the stream it is of no more use: an answer that comes late would
// be taken for that to the next question.
type Key struct {
	stream Stream
	in     *bufio.Reader
	broken error
}

// New returns the key at the other end of s, which stays the caller's to close.
func New(s Stream) *Key { return &Key{stream: s, in: bufio.NewReader(s)} }

// Certificates implements termauth.ISKey.
func (k *Key) Certificates(ctx context.Context, authorities []string) ([][]byte, error) {
	a, err := k.ask(ctx, question{Authorities: authorities})
	return a.Certificates, err
}

// Sign implements termauth.ISKey.
func (k *Key) Sign(ctx context.Context, data []byte) ([]byte, error) {
	a, err := k.ask(ctx, question{Sign: data})
	if err == nil && len(a.Signature) == 0 {
		return nil, fault.New(ErrAnswer.Code, "no signature")
	}
	return a.Signature, err
}

func (k *Key) ask(ctx context.Context, q question) (answer, error) {
	if k.broken != nil {
		return answer{}, k.broken
	}
	a, err := k.exchange(ctx, q)
	if err != nil {
		k.broken = err
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, ErrRefused // its words are the other side's and stay there
	}
	return a, nil
}

func (k *Key) exchange(ctx context.Context, q question) (answer, error) {
	until := time.Now().Add(answerTime)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	if err := k.stream.SetDeadline(until); err != nil {
		return answer{}, fault.Wrap(ErrLine.Code, err)
	}
	stop := context.AfterFunc(ctx, func() { k.stream.SetDeadline(time.Now()) }) // a stream that cannot be hurried ends by its own deadline
	defer stop()
	line, err := json.Marshal(q)
	if err != nil {
		return answer{}, fault.Wrap(ErrLine.Code, err)
	}
	if _, err := k.stream.Write(append(line, '\n')); err != nil {
		return answer{}, fault.Wrap(ErrLine.Code, err)
	}
	var a answer
	err = readLine(k.in, &a)
	return a, err
}

// readLine reads one JSON object.
func readLine(in *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return fault.New(ErrAnswer.Code, "line of over %d octets", maxLine)
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return fault.Wrap(ErrLine.Code, err)
		}
	}
	return fault.Wrap(ErrAnswer.Code, json.Unmarshal(line, v))
}

// Serve answers the questions on a stream with key until the other side ends
// it or ctx ends; it serves benches and tests. Waiting for a question has no
// bound but ctx.
func Serve(ctx context.Context, s Stream, key termauth.ISKey) error {
	stop := context.AfterFunc(ctx, func() { s.SetDeadline(time.Now()) })
	defer stop()
	in := bufio.NewReader(s)
	out := json.NewEncoder(s)
	for {
		var q question
		err := readLine(in, &q)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := out.Encode(answerTo(ctx, q, key)); err != nil {
			return fault.Wrap(ErrLine.Code, err)
		}
	}
}

func answerTo(ctx context.Context, q question, key termauth.ISKey) (a answer) {
	var err error
	switch {
	case len(q.Sign) > 0:
		a.Signature, err = key.Sign(ctx, q.Sign)
	default:
		a.Certificates, err = key.Certificates(ctx, q.Authorities)
	}
	if err != nil {
		return answer{Error: string(fault.CodeOf(err))}
	}
	return a
}
