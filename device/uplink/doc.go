// Package uplink is the post's side of the link to central: a Source that asks
// central, and the sender that brings outcomes from the outbox to it.
//
// The link only ever adds. Local answers do not wait for it: a question waits
// for central at most Options.Budget, and not at all while the link is down.
// What comes later is a late hit (Patient). An outcome stays in the outbox
// until central's signed receipt for exactly this outcome has been checked.
//
// The broker in between is not trusted (sdk/proto/link/v1): it can delay and
// lose, not read or forge.
package uplink
