//go:build race

package trust_test

// raced says that the race detector slows everything down.
const raced = true
