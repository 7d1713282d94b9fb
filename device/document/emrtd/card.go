package emrtd

import (
	"context"
	"errors"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/fault"
)

// errMalformed is an answer that is no response APDU: the card, not the
// channel, is at fault, and the session with it is over.
var errMalformed = &fault.Error{Code: "card.malformed"}

// Bounds on what one card may cost. A 200 KB portrait in 32-octet pieces is
// 6,400 commands.
const (
	maxCommands     = 20_000
	maxOctets       = 16 << 20
	maxGetResponses = 512
	maxResponse     = apdu.MaxExtendedLe + 2
)

// Traffic counts what went over the channel.
type Traffic struct {
	Commands int // commands sent, GET RESPONSE and parts of a chain included
	Sent     int // octets of commands
	Received int // octets of responses
}

// card speaks to the chip: plain until a session is set, protected after.
type card struct {
	channel  Channel
	session  *sm.Session
	extended bool        // card and reader are known to take extended length
	broken   bool        // the session, or the order of answers, is lost
	answered bool        // a response has come properly protected under this session
	raw      apdu.Status // status word of the last response as it came
	traffic  Traffic
}

// start replaces the session. nil goes back to plain messages.
func (c *card) start(s *sm.Session) {
	if c.session != nil {
		c.session.Close()
	}
	c.session, c.broken, c.answered = s, false, false
}

// send is an apdu.Exchange.
func (c *card) send(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	room := c.maxData(cmd)
	for !c.extended && len(cmd.Data) > room {
		part := cmd.Chained()
		part.Data, part.Ne = cmd.Data[:room], 0
		r, err := c.one(ctx, part)
		if err != nil || r.Status != apdu.StatusOK {
			return r, err
		}
		cmd.Data = cmd.Data[room:]
	}
	return c.one(ctx, cmd)
}

// maxData is how many command data octets fit one short command.
func (c *card) maxData(cmd apdu.Command) int {
	if c.session == nil {
		return apdu.MaxShortData
	}
	const le, mac = 3, 2 + sm.MACLen
	block := c.session.Suite().BlockLen()
	room := apdu.MaxShortData - le - mac - 1 - 2 - 1 // DO'87': tag, length of two octets, indicator
	return room/block*block - 1
}

// one sends one command, protected where there is a session.
func (c *card) one(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	if !c.extended && cmd.Ne > apdu.MaxShortLe {
		cmd.Ne = apdu.MaxShortLe
	}
	if c.session == nil {
		return c.plain(ctx, cmd)
	}
	protected, err := c.session.Wrap(cmd)
	if err != nil {
		c.broken = true
		return apdu.Response{}, err
	}
	r, err := c.collect(ctx, protected)
	if err != nil {
		c.broken = true
		return apdu.Response{}, err
	}
	out, err := c.session.Unwrap(r)
	if err != nil {
		c.broken = true
		return apdu.Response{}, err
	}
	c.answered = true
	return out, nil
}

// plain sends an unprotected command and follows one 6Cxx.
func (c *card) plain(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	r, err := c.collect(ctx, cmd)
	if err != nil {
		return apdu.Response{}, err
	}
	if le, ok := r.Status.RightLe(); ok && cmd.Ne != 0 && le != cmd.Ne {
		cmd.Ne = le
		return c.collect(ctx, cmd)
	}
	return r, nil
}

// collect sends a command as it is and fetches what 61xx promises (ISO/IEC
// 7816-4:2020, 11.8.1).
func (c *card) collect(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	r, err := c.exchange(ctx, cmd)
	if err != nil {
		return r, err
	}
	data := r.Data
	for range maxGetResponses {
		more, ok := r.Status.More()
		if !ok {
			return apdu.Response{Data: data, Status: r.Status}, nil
		}
		r, err = c.exchange(ctx, apdu.Command{CLA: cmd.CLA &^ apdu.SMClass, INS: 0xC0, Ne: more})
		if err != nil {
			return r, err
		}
		if _, again := r.Status.More(); again && len(r.Data) == 0 {
			break
		}
		data = append(data, r.Data...)
		if len(data) > maxResponse {
			break
		}
	}
	return apdu.Response{}, fault.New(errMalformed.Code, "response without an end")
}

// exchange is one command on the channel.
func (c *card) exchange(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	if err := context.Cause(ctx); err != nil {
		return apdu.Response{}, &channelError{contextError(err)}
	}
	encoded, err := cmd.Encode(c.extended && cmd.NeedsExtended())
	if err != nil {
		return apdu.Response{}, err
	}
	if c.traffic.Commands >= maxCommands || c.traffic.Received >= maxOctets {
		return apdu.Response{}, &channelError{fault.New(ErrTraffic.Code, "%d commands, %d octets", c.traffic.Commands, c.traffic.Received)}
	}
	c.traffic.Commands++
	c.traffic.Sent += len(encoded)
	answer, err := c.channel.Transmit(ctx, encoded)
	c.traffic.Received += len(answer)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = contextError(cause)
		}
		if fault.CodeOf(err) == fault.Unknown {
			err = fault.Wrap(ErrChannel.Code, err)
		}
		return apdu.Response{}, &channelError{err}
	}
	if len(answer) > maxResponse {
		return apdu.Response{}, fault.New(errMalformed.Code, "response of %d octets", len(answer))
	}
	r, err := apdu.ParseResponse(answer)
	if err != nil {
		return apdu.Response{}, fault.Wrap(errMalformed.Code, err)
	}
	c.raw = r.Status
	return r, nil
}

// contextError codes the end of a context.
func contextError(cause error) error {
	switch {
	case fault.CodeOf(cause) != fault.Unknown:
		return cause
	case errors.Is(cause, context.DeadlineExceeded):
		return fault.Wrap(ErrTime.Code, cause)
	}
	return fault.Wrap(ErrCanceled.Code, cause)
}
