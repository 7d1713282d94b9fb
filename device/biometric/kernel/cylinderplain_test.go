//go:build !(goexperiment.simd && amd64)

package kernel

func cylinderKernels() map[string]func(*CylinderProbe, []uint64) uint32 {
	return map[string]func(*CylinderProbe, []uint64) uint32{"plain": plainCylinders}
}
