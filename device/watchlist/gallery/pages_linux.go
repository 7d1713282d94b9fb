package gallery

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// large asks the kernel to keep values, which begin on a large page, on large
// pages: with small ones every 4 KiB cost a walk through the page tables, in a
// virtual machine through two of them. Pages not yet written come large with
// their first write; those that the heap had before are made so now, where the
// kernel can (Linux 6.1). It is advice: a kernel that has no large pages left,
// or does not know of them, changes nothing.
func large[T any](values []T) {
	first := uintptr(unsafe.Pointer(&values[0]))
	size := uintptr(len(values)) * unsafe.Sizeof(values[0]) / hugePage * hugePage
	for _, advice := range []uintptr{unix.MADV_HUGEPAGE, unix.MADV_COLLAPSE} {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, first, size, advice)
	}
}
