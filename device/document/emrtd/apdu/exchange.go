package apdu

import "context"

// Exchange sends one command, plain as the protocol knows it, and returns the
// plain response. It applies secure messaging, chaining and length forms
// itself. Its errors are those of the channel or of secure messaging; a
// status word other than 9000 is no error here.
type Exchange func(ctx context.Context, c Command) (Response, error)

// StatusError is a step that the card refused. It is a cause: the protocol
// step gives it a code.
type StatusError struct {
	Step   string // "GET CHALLENGE"
	Status Status
}

func (e *StatusError) Error() string { return e.Step + " answered " + e.Status.String() }
