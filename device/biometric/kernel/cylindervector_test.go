//go:build goexperiment.simd && amd64

package kernel

// cylinderKernels are those that this processor runs.
func cylinderKernels() map[string]func(*CylinderProbe, []uint64) uint32 {
	all := map[string]func(*CylinderProbe, []uint64) uint32{"plain": plainCylinders}
	if hasAVX2 {
		all["avx2"] = func(p *CylinderProbe, groups []uint64) uint32 { return batches(p, groups, cylindersAVX2) }
	}
	if hasPopcount {
		all["avx512"] = func(p *CylinderProbe, groups []uint64) uint32 { return batches(p, groups, cylindersAVX512) }
	}
	return all
}
