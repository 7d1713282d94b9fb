//go:build !(goexperiment.simd && amd64)

package kernel

// CylinderKernel returns the kernel in use for cylinder codes: plain, avx2 or
// avx512.
func CylinderKernel() string { return "plain" }

func cylinders(probe *CylinderProbe, groups []uint64) uint32 { return plainCylinders(probe, groups) }
