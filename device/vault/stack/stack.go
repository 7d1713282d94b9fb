// Package stack keeps secrets from staying on the stacks of goroutines, where
// nothing clears what ended calls have left: a short text that is converted to
// bytes stands there, and what libraries lay out for themselves.
package stack

import "runtime"

// reach is what calls with a secret use at most: most take a tenth of it.
const reach = 48 << 10

// hold is more than a quarter of the stack that it makes with reach. The garbage
// collector halves a stack of which less is in use, and leaves the old one behind
// as it was; hold is in use for as long as f runs.
const hold = 32 << 10

// Wiped runs f and writes over what its calls have left on the stack. The
// stack is made large enough before: one that grows meanwhile leaves a copy of
// itself behind. So does one that was several times as large before and shrinks
// meanwhile. Goroutines that f starts have stacks of their own.
//
//go:noinline
func Wiped(f func()) {
	var held [hold]byte
	overwrite(reach)
	defer overwrite(reach)
	f()
	runtime.KeepAlive(&held)
}

// overwrite writes over this many bytes of the stack below its caller, twice:
// what lies between two frames at first lies inside one then.
//
//go:noinline
func overwrite(bytes int) {
	deepen(bytes)
	skew(bytes)
}

//go:noinline
func skew(bytes int) byte {
	var frame [96]byte
	frame[bytes&31] = deepen(bytes - 2*len(frame))
	return frame[(bytes+1)&31]
}

//go:noinline
func deepen(bytes int) byte {
	var frame [256]byte
	if bytes > len(frame) {
		frame[bytes&(len(frame)-1)] = deepen(bytes - len(frame) - 32)
	}
	return frame[(bytes+1)&(len(frame)-1)]
}
