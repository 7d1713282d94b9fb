// Package tpm opens a vault with the TPM 2.0 of the box and a shift PIN.
//
// The key that wraps the vault's device key is sealed in the chip (TCG TPM 2.0
// Library, Part 1 to 4, revision 1.59, 2019) to a policy: the boot is the one
// it was sealed under (PolicyPCR over PCR 7 and 11), the vault has not been
// wiped or replaced (PolicyNV over a counter of the vault's own), and the
// officer knows the PIN (PolicyAuthValue, which the chip counts and locks).
// Sessions are salted to the chip's storage key, whose name is kept at
// enrolment, and parameters that carry secrets are encrypted in both
// directions, so that a probe on the bus, or something between, learns
// nothing and can pretend to be no chip.
//
// A second counter notices an old disk image: see [Unlocker.Starts].
//
// This is the only package that opens a TPM. It reaches one by a device node
// (/dev/tpmrm0) or by a local socket (unix:PATH, swtpm).
package tpm
