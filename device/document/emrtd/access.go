package emrtd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/bac"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

// Codes of Access.Downgrade beside those of the pace package.
var (
	// ErrUnsupported: the chip offers PACE, but no variant that is known here.
	ErrUnsupported = &fault.Error{Code: "pace.unsupported"}
	// ErrCardAccess: EF.CardAccess is there and cannot be understood.
	ErrCardAccess = &fault.Error{Code: "pace.card_access"}
)

// maxVariants bounds the PACE variants that are tried with one password: a
// chip that refuses three is not going to take a fourth.
const maxVariants = 3

// offer is a PACE variant that the chip announces.
type offer struct {
	variant pace.Variant
	named   bool // the same protocol is offered with several parameters: the reference is needed
}

// application is the identifier of the eMRTD application (Doc 9303-10, 3.3).
var application = [...]byte{0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01}

var masterFile = [...]byte{0x3F, 0x00}

// readMaster reads what the chip says about itself before access control. Odd
// answers there are common and mean no more than that it says nothing.
func (r *reader) readMaster(ctx context.Context) error {
	data, err := r.readFile(ctx, fileCardAccess)
	if err != nil && !lost(err) {
		// The card may not be in its master file, or want it selected first.
		if _, err = r.selectMaster(ctx); err == nil {
			r.bySFI = untested
			data, err = r.readFile(ctx, fileCardAccess)
		}
	}
	switch {
	case lost(err):
		return err
	case err != nil:
		if !errors.Is(err, ErrFileMissing) {
			r.reading.Unread[fileCardAccess.Name] = fault.CodeOf(err)
		}
	default:
		r.reading.Files[fileCardAccess.Name] = data
		r.offers = r.offersIn(data)
	}
	if r.channel.MaxResponse() <= apdu.MaxShortLe+2 {
		return nil // what EF.ATR/INFO could tell is of no use with this reader
	}
	info, err := r.readFile(ctx, fileATR)
	if err != nil {
		if lost(err) {
			return err
		}
		return nil
	}
	r.reading.Files[fileATR.Name] = info
	r.card.extended = r.blocks.learn(r.channel, cardResponse(info))
	return nil
}

// offersIn returns the supported PACE variants of EF.CardAccess, the ones we
// like best first: standardized domain parameters before a chip's own, chip
// authentication mapping before the others, curves before groups, AES before
// 3DES; then the chip's own order.
func (r *reader) offersIn(cardAccess []byte) []offer {
	infos, err := lds.ParseSecurityInfos(cardAccess)
	if err != nil && len(infos) == 0 {
		r.reading.Access.Downgrade = ErrCardAccess.Code
		return nil
	}
	var offers []offer
	count := map[string]int{}
	announced := false
	for _, info := range infos {
		if info.Kind != lds.InfoPACE {
			continue
		}
		announced = true
		count[info.OID]++
		if info.Version != 2 && info.Version != 1 {
			continue
		}
		if v, ok := pace.Lookup(info.OID, info.Parameter); ok {
			offers = append(offers, offer{variant: v})
		} else if v, err := proprietary(infos, info); err == nil {
			offers = append(offers, offer{variant: v})
		}
	}
	for i := range offers {
		offers[i].named = count[offers[i].variant.OID] > 1
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return liking(b.variant) - liking(a.variant) })
	if announced {
		r.reading.Access.Offered = append(r.reading.Access.Offered, ProtocolPACE)
		if len(offers) == 0 {
			r.reading.Access.Downgrade = ErrUnsupported.Code
		}
	}
	return offers
}

// firstProprietary is the lowest parameter id that a chip may give to domain
// parameters of its own (Doc 9303-11, 9.5.1).
const firstProprietary = 32

// proprietary returns the variant of a PACEInfo whose domain parameters stand
// in a PACEDomainParameterInfo: the one of its id, or without an id the only
// one of its agreement.
func proprietary(infos []lds.SecurityInfo, info lds.SecurityInfo) (pace.Variant, error) {
	if info.Parameter >= 0 && info.Parameter < firstProprietary {
		return pace.Variant{}, pace.ErrDomain
	}
	var found []lds.SecurityInfo
	for _, i := range infos {
		if i.Kind == lds.InfoPACEDomainParameters && i.OID == pace.AgreementOf(info.OID) && (info.Parameter < 0 || i.Parameter == info.Parameter) {
			found = append(found, i)
		}
	}
	if len(found) != 1 {
		return pace.Variant{}, pace.ErrDomain
	}
	return pace.Proprietary(info.OID, info.Parameter, found[0].Required)
}

func liking(v pace.Variant) int {
	n := 0
	if v.ParameterID >= 0 && v.ParameterID < firstProprietary {
		n += 8
	}
	if v.Mapping == pace.ChipAuth {
		n += 4
	}
	if v.Elliptic() {
		n += 2
	}
	if v.Suite.BlockLen() == 16 {
		n++
	}
	return n
}

func (r *reader) selectMaster(ctx context.Context) (apdu.Response, error) {
	return r.card.send(ctx, apdu.Command{INS: insSelect, P2: 0x0C, Data: masterFile[:]})
}

// selectApplication selects the eMRTD application, without and then with a
// request for control information, which some chips insist on.
func (r *reader) selectApplication(ctx context.Context) error {
	command := apdu.Command{INS: insSelect, P1: 0x04, P2: 0x0C, Data: application[:]}
	resp, err := r.card.send(ctx, command)
	if err == nil && resp.Status != apdu.StatusOK && !r.card.broken {
		first := resp.Status
		command.P2, command.Ne = 0x00, apdu.MaxShortLe
		resp, err = r.card.send(ctx, command)
		if err == nil && resp.Status != apdu.StatusOK {
			return fault.Wrap(ErrNoApplication.Code, &apdu.StatusError{Step: "SELECT application", Status: first})
		}
	}
	if err == nil {
		r.bySFI = untested
	}
	return err
}

// open gets access with the first password and protocol that the chip takes:
// PACE where it is offered, else, or where that fails, BAC.
func (r *reader) open(ctx context.Context) error {
	r.progress(StageAccess, "", 0, 0)
	var wrong, other error
	for _, pw := range r.options.Passwords {
		if pw.kind == PasswordUnknown {
			continue
		}
		err := r.openWith(ctx, pw)
		switch {
		case err == nil:
			return nil
		case lost(err):
			return err
		case errors.Is(err, ErrPassword):
			wrong = err
		case !errors.Is(err, ErrNoPassword):
			other = err
		}
	}
	if wrong == nil {
		err := r.openPlain(ctx)
		if err == nil || lost(err) {
			return err
		}
		if other == nil {
			return err
		}
	}
	if wrong != nil {
		return wrong
	}
	return other
}

// openWith tries one password with every protocol.
func (r *reader) openWith(ctx context.Context, pw Password) error {
	var wrong, other error
	for i, o := range r.offers {
		if i == maxVariants || wrong != nil {
			break
		}
		err := r.openPACE(ctx, o, pw)
		switch {
		case err == nil:
			return nil
		case lost(err):
			return err
		case errors.Is(err, pace.ErrPassword):
			wrong = fault.Wrap(ErrPassword.Code, err)
		default:
			other = err
		}
		r.reading.Access.Downgrade = fault.CodeOf(err)
		r.card.start(nil)
	}
	if pw.kind == PasswordMRZ {
		err := r.openBAC(ctx, pw)
		switch {
		case err == nil || lost(err):
			return err
		case errors.Is(err, bac.ErrPassword):
			wrong = fault.Wrap(ErrPassword.Code, err)
		case other == nil:
			other = err
		}
		r.card.start(nil)
	}
	switch {
	case wrong != nil:
		return wrong
	case errors.Is(other, ErrNoApplication):
		return other
	case other != nil:
		return fault.Wrap(ErrAccess.Code, other)
	}
	return fault.New(ErrNoPassword.Code, "the chip does not take a password of kind %s", pw.kind)
}

// openPACE runs PACE and selects the application under its session.
func (r *reader) openPACE(ctx context.Context, o offer, pw Password) error {
	r.progress(StageAccess, ProtocolPACE, 0, 0)
	run := func(ctx context.Context) (*pace.Result, error) {
		result, err := o.variant.Run(ctx, r.card.send, pace.Password{Reference: byte(pw.kind), K: pw.secret},
			pace.Options{NameParameters: o.named, Random: r.options.Random})
		if err != nil {
			return nil, err
		}
		r.card.start(result.Session)
		r.terminal = termauth.Session{ChipID: result.ChipID, Authorities: result.Authorities}
		r.reading.Access.Sessions++
		return result, nil
	}
	result, err := run(ctx)
	if err != nil {
		return err
	}
	if o.variant.Mapping == pace.ChipAuth {
		if err := r.proveMapping(ctx, result); err != nil {
			return err
		}
	}
	if err := r.selectApplication(ctx); err != nil {
		return err
	}
	a := &r.reading.Access
	a.Protocol, a.Password, a.Downgrade = ProtocolPACE, pw.kind, ""
	a.Mapping, a.Cipher = o.variant.Mapping.String(), cipherName(o.variant.Suite.String())
	a.Domain, a.ParameterID = o.variant.Domain(), o.variant.ParameterID
	r.again = func(ctx context.Context) error {
		// PACE runs in the master file; whether the card says so matters less.
		if _, err := r.selectMaster(ctx); err != nil {
			return err
		}
		if _, err := run(ctx); err != nil {
			return err
		}
		return r.selectApplication(ctx)
	}
	return nil
}

// openBAC selects the application in plain and runs BAC.
func (r *reader) openBAC(ctx context.Context, pw Password) error {
	run := func(ctx context.Context) error {
		if err := r.selectApplication(ctx); err != nil {
			return err
		}
		session, err := bac.Run(ctx, r.card.send, pw.secret, r.options.Random)
		if err != nil {
			return err
		}
		r.card.start(session)
		r.terminal = termauth.Session{}
		r.reading.Access.Sessions++
		return nil
	}
	r.progress(StageAccess, ProtocolBAC, 0, 0)
	if err := run(ctx); err != nil {
		return err
	}
	a := &r.reading.Access
	a.Protocol, a.Password = ProtocolBAC, pw.kind
	a.Cipher = cipherName(r.card.session.Suite().String())
	a.Offered = append(a.Offered, ProtocolBAC)
	r.again = run
	return nil
}

// openPlain finds out whether the application reads without access control,
// as documents of the first years do.
func (r *reader) openPlain(ctx context.Context) error {
	if err := r.selectApplication(ctx); err != nil {
		return err
	}
	com, err := r.readFile(ctx, fileCOM)
	if lost(err) {
		return err
	}
	if err != nil {
		return fault.Wrap(ErrNoPassword.Code, err)
	}
	r.reading.Files[fileCOM.Name] = com
	r.reading.Access.Protocol = ProtocolNone
	return nil
}

// cipherName writes a suite as inspections do: "3des", "aes-128".
func cipherName(suite string) string { return strings.ToLower(suite) }
