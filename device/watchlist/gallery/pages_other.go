//go:build !linux

package gallery

func large[T any]([]T) {}
