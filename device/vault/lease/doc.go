// Package lease opens the vault of a post that stands alone: the key that
// wraps its device key has two halves, one in the box (its TPM) and one with a
// releaser (central, or a server of the site), who gives it out at boot for a
// time and no more once the box is reported missing. A box that is carried away
// stays shut from its next boot, or when the time runs out.
//
// What travels is three forms, each JSON in one piece, opaque to the link:
// a [Registration] from the workshop to the releaser, a [Request] from the box
// at boot and at each renewal, and the signed lease that answers it. A lease is
// good for the one request that it answers: it names the post, repeats the
// request's nonce, and carries the releaser's half sealed to a key made for
// that request (HPKE, RFC 9180, 2022). Ed25519 (RFC 8032, 2017) signs it.
//
// Both sides' halves of the forms stand here, so that they cannot drift apart.
package lease
