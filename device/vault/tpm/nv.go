package tpm

import (
	"encoding/binary"
	"errors"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// Our NV indices lie in the owner's range (TCG registry of reserved handles,
// 2019: 0x01800000 to 0x01BFFFFF). One belongs to a vault and one to each way
// into it.
const (
	firstIndex = 0x01857050
	indexes    = 32
)

// counterPublic is the form of both counters. Whoever may use the chip may
// read and raise them; nobody may set them back, and one defined anew starts
// above all that were there before (Part 1, section 37.2.2).
func counterPublic(handle uint32) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex: tpm2.TPMHandle(handle),
		NameAlg: tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{
			OwnerWrite: true, OwnerRead: true, AuthWrite: true, AuthRead: true,
			NT: tpm2.TPMNTCounter, NoDA: true,
		},
		DataSize: 8,
	}
}

// counterHandle names a counter that has been raised at least once. The name
// is computed: a counter of another form is another.
func counterHandle(handle uint32) (tpm2.NamedHandle, error) {
	pub := counterPublic(handle)
	pub.Attributes.Written = true
	name, err := tpm2.NVName(&pub)
	if err != nil {
		return tpm2.NamedHandle{}, coded("name a counter", err)
	}
	return tpm2.NamedHandle{Handle: tpm2.TPMHandle(handle), Name: *name}, nil
}

// reader authorises reading and raising n, in a session salted to the chip so
// that the answer cannot be forged on the way.
func (c *chip) reader(n tpm2.NamedHandle) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: n.Handle, Name: n.Name, Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, c.salted())}
}

// newCounter defines a counter at the first free index and raises it to its
// first value.
func (c *chip) newCounter() (index, error) {
	for handle := uint32(firstIndex); handle < firstIndex+indexes; handle++ {
		_, err := tpm2.NVDefineSpace{AuthHandle: tpm2.TPMRHOwner, PublicInfo: tpm2.New2B(counterPublic(handle))}.Execute(c)
		if errors.Is(err, tpm2.TPMRCNVDefined) {
			continue
		}
		if err != nil {
			return index{}, coded("define a counter", err)
		}
		value, err := c.first(handle)
		if err != nil {
			return index{}, errors.Join(err, c.dropCounter(handle))
		}
		return index{Handle: handle, Value: value}, nil
	}
	return index{}, fault.New("tpm.full", "all places for vaults in this TPM are taken").
		WithHint("wipe a vault that is no longer used: watchpost keys wipe")
}

func (c *chip) first(handle uint32) (uint64, error) {
	pub := counterPublic(handle)
	name, err := tpm2.NVName(&pub)
	if err != nil {
		return 0, coded("name a counter", err)
	}
	n := tpm2.NamedHandle{Handle: tpm2.TPMHandle(handle), Name: *name}
	if _, err := (tpm2.NVIncrement{AuthHandle: c.reader(n), NVIndex: n}).Execute(c); err != nil {
		return 0, coded("raise a counter", err)
	}
	return c.readCounter(handle)
}

// readCounter fails with tpm.wiped where there is none.
func (c *chip) readCounter(handle uint32) (uint64, error) {
	n, err := counterHandle(handle)
	if err != nil {
		return 0, err
	}
	got, err := tpm2.NVRead{AuthHandle: c.reader(n), NVIndex: n, Size: 8}.Execute(c)
	if err != nil {
		return 0, counterError("read a counter", err)
	}
	if len(got.Data.Buffer) != 8 {
		return 0, fault.New("tpm.failed", "a counter of %d bytes", len(got.Data.Buffer))
	}
	return binary.BigEndian.Uint64(got.Data.Buffer), nil
}

func (c *chip) raiseCounter(handle uint32) error {
	n, err := counterHandle(handle)
	if err != nil {
		return err
	}
	_, err = tpm2.NVIncrement{AuthHandle: c.reader(n), NVIndex: n}.Execute(c)
	return counterError("raise a counter", err)
}

// dropCounter forgets a counter; one that is not there is no error.
func (c *chip) dropCounter(handle uint32) error {
	read, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(handle)}.Execute(c)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil
	}
	if err != nil {
		return coded("look at a counter", err)
	}
	_, err = tpm2.NVUndefineSpace{AuthHandle: tpm2.TPMRHOwner,
		NVIndex: tpm2.NamedHandle{Handle: tpm2.TPMHandle(handle), Name: read.NVName}}.Execute(c)
	return coded("forget a counter", err)
}

// assertEpoch makes the policy hold only while the vault's counter stands
// where it stood at enrolment.
func (c *chip) assertEpoch(session tpm2.TPMISHPolicy, epoch index) error {
	n, err := counterHandle(epoch.Handle)
	if err != nil {
		return err
	}
	_, err = tpm2.PolicyNV{
		AuthHandle: c.reader(n), NVIndex: n, PolicySession: session,
		OperandB: tpm2.TPM2BOperand{Buffer: binary.BigEndian.AppendUint64(nil, epoch.Value)}, Operation: tpm2.TPMEOEq,
	}.Execute(c)
	if errors.Is(err, tpm2.TPMRCPolicy) {
		return errWiped(err)
	}
	return counterError("state the vault's counter", err)
}

func counterError(what string, err error) error {
	// A counter that is not there is TPM_RC_HANDLE; one of another form does
	// not authorise under the name we computed.
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCNVUninitialized) {
		return errWiped(err)
	}
	return coded(what, err)
}

func errWiped(err error) error {
	return fault.New("tpm.wiped", "this vault was wiped or replaced: %w", err).
		WithHint("enrol the box again; the lists come back with its next provisioning folder")
}
