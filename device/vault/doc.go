// Package vault keeps the keys of a post and hands out what they can do,
// never the keys themselves.
//
// The hierarchy is device key → list keys → generation keys, and device key →
// encounter keys (design section 8). Each key is 32 random bytes, wrapped by
// the one above it with AES-256-GCM (NIST SP 800-38D, 2007; random 96-bit
// nonces, at most 2^32 messages a key) with the wrapped key's scope and name
// as additional data, so that a key put in another's place does not open.
// Keys from outside arrive by HPKE (RFC 9180, 2022: DHKEM X25519 HKDF-SHA-256,
// HKDF-SHA-256, AES-256-GCM) to a pair derived from the device key.
//
// The device key opens by an [Unlocker]: a passphrase (argon2id, RFC 9106,
// 2021) or the TPM and a shift PIN (package tpm). UNLOCK.md tells what each
// hour of a box's life does to its keys, and what is not built.
//
// Raw keys live in an arena outside the Go heap that is locked in memory and
// left out of core dumps. The expanded AES key schedule is made by crypto/aes
// on the Go heap and cannot be moved from there: it is the reason why Harden
// makes the whole process non-dumpable as well.
package vault
