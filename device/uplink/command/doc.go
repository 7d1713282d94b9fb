// Package command takes the orders that come to a post from a distance: recall
// of a record, a new key of a list, lock, wipe.
//
// An order is judged by its own signatures, not by who brought it: two of the
// owners named in the post's configuration, or central's key for a lock. It
// names the post and carries a number that only grows at this post; the number
// is written down, in the transaction that writes what the order did and its
// audit line, before anything that cannot be taken back is done. So an order
// that comes twice, late, out of order or after a restart does nothing.
package command
