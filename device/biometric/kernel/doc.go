// Package kernel holds the inner loops of the engines: plain Go that every
// machine runs, later vector forms with identical answers beside it.
//
// Nothing here allocates, waits or keeps state; everything is safe for
// concurrent use as long as the slices are.
package kernel
