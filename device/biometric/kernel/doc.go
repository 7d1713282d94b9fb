// Package kernel holds the inner loops of the engines: plain Go that every
// machine runs, and vector forms with identical answers beside it. Those are
// built with GOEXPERIMENT=simd on amd64 and used where the processor has AVX2
// or AVX-512, asked at start.
//
// Nothing here allocates, waits or keeps state; everything is safe for
// concurrent use as long as the slices are.
package kernel
