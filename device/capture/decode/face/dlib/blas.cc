// Which kernels OpenBLAS runs on. A release of OpenBLAS that is older than the
// processor does not know its model number and falls back to SSE3 kernels,
// which take three times as long; the instruction sets are there all the same.
// OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, before any code of ours,
// so the choice is repeated here through the two calls it is made of. All
// names are weak: with another BLAS nothing happens.

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "engine.h"

extern "C" {
void openblas_set_num_threads(int) __attribute__((weak));
char *openblas_get_corename(void) __attribute__((weak));
void gotoblas_dynamic_init(void) __attribute__((weak));
void gotoblas_dynamic_quit(void) __attribute__((weak));
}

namespace {

// best names the newest kernel family of OpenBLAS 0.3.21 that this processor
// can run, or NULL for the one OpenBLAS finds.
const char *best() {
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return "SkylakeX";
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
	return nullptr;
}

bool is_fallback(const char *name) {
	for (const char *old : {"Prescott", "Core2", "Unknown"})
		if (std::strcmp(name, old) == 0) return true;
	return false;
}

std::once_flag prepared;

void prepare() {
	if (openblas_set_num_threads) openblas_set_num_threads(1);
	const char *want = best();
	if (!want || std::getenv("OPENBLAS_CORETYPE") || !openblas_get_corename || !gotoblas_dynamic_init || !gotoblas_dynamic_quit) return;
	if (!is_fallback(openblas_get_corename())) return;
	setenv("OPENBLAS_CORETYPE", want, 1);
	gotoblas_dynamic_quit();
	gotoblas_dynamic_init();
}

} // namespace

extern "C" const char *wp_blas(void) {
	std::call_once(prepared, prepare);
	return openblas_get_corename ? openblas_get_corename() : nullptr;
}
