package gallery

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a large page: that of amd64, and of arm64 with pages
// of 4 KiB. Where it is another, the advice covers another range and that is
// all.
const hugePage = 2 << 20

// large asks the kernel to keep values on large pages: a scan then reads some
// tenth faster, as the processor fetches ahead only within a page. The large
// pages that values begin and end on are asked for whole; they lie in the
// heap's own arenas of 64 MiB. It is advice: a kernel that has none left, or
// does not know of them, changes nothing.
func large[T any](values []T) {
	if len(values) == 0 {
		return
	}
	first := unsafe.Pointer(&values[0])
	before := uintptr(first) % hugePage
	size := before + uintptr(len(values))*unsafe.Sizeof(values[0])
	size = (size + hugePage - 1) / hugePage * hugePage
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(first)-before, size, unix.MADV_HUGEPAGE)
}
