package sandbox

import (
	"fmt"
	"os"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// always are the calls every role needs, the frequent ones first: the filter
// is searched in order. Names that an architecture lacks are passed over.
// Absent on purpose: execve, ptrace, process_vm_*, io_uring_* (it would go
// round the filter), socket and connect, mount, bpf, keyctl, setuid and kin.
var always = [...]string{
	"futex", "read", "write", "epoll_pwait", "epoll_wait", "nanosleep", "clock_nanosleep", "ioctl",
	"mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "recvmsg", "sendmsg", "recvfrom", "sendto",
	"readv", "writev", "pread64", "preadv", "pwrite64", "pwritev", "lseek", "close", "close_range",
	"sched_yield", "clock_gettime", "clock_getres", "gettimeofday", "time", "poll", "ppoll", "select", "pselect6",
	"epoll_create1", "epoll_ctl", "epoll_pwait2", "eventfd2", "pipe", "pipe2", "dup", "dup2", "dup3", "fcntl",
	"timerfd_create", "timerfd_settime", "timerfd_gettime",
	"openat", "open", "openat2", "fstat", "stat", "lstat", "newfstatat", "fstatat", "statx", "statfs", "fstatfs",
	"access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
	"unlink", "unlinkat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "ftruncate", "truncate",
	"fsync", "fdatasync", "flock", "fallocate", "fadvise64",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getpgrp", "getpgid",
	"exit", "exit_group", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "membarrier",
	"sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_setscheduler",
	"sched_get_priority_max", "sched_get_priority_min", "getpriority", "setpriority", "getcpu",
	"timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete", "setitimer", "getitimer",
	"getrandom", "uname", "sysinfo", "getrusage", "times", "getrlimit", "arch_prctl", "prctl", "umask",
	"mlock", "mlock2", "munlock", "mincore", "msync", "memfd_create", "mbind", "get_mempolicy", "set_mempolicy",
	"accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown",
	// Let through here and answered ENOSYS by clone3Filter.
	"clone3",
}

// loadFilter installs the filters on all threads and proves it.
func loadFilter(p Profile) error {
	info, err := arch.GetInfo("")
	if err != nil {
		return fault.Wrap("sandbox.unavailable", err)
	}
	for _, policy := range []seccomp.Policy{clone3Filter(), allowFilter(info, p)} {
		filter := seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy}
		if err := seccomp.LoadFilter(filter); err != nil {
			return fault.Wrap("sandbox.unavailable", fmt.Errorf("seccomp: %w", err))
		}
	}
	return verifyFilter()
}

// allowFilter is the allow-list. Calls of another architecture's numbering
// (int 0x80 on x86-64) get the default answer too.
func allowFilter(info *arch.Info, p Profile) seccomp.Policy {
	group := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	plain := func(names ...string) {
		for _, name := range names {
			if _, ok := info.SyscallNames[name]; ok {
				group.Names = append(group.Names, name)
			}
		}
	}
	when := func(name string, argument uint32, op seccomp.Operation, value uint64) {
		if _, ok := info.SyscallNames[name]; !ok {
			return
		}
		group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{
			Name:       name,
			Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: op, Value: value}},
		})
	}
	plain(always[:]...)
	self := uint64(os.Getpid())
	// Signals go to this process only; limits are its own.
	when("kill", 0, seccomp.Equal, self)
	when("tgkill", 0, seccomp.Equal, self)
	when("rt_tgsigqueueinfo", 0, seccomp.Equal, self)
	when("prlimit64", 0, seccomp.Equal, 0)
	when("prlimit64", 0, seccomp.Equal, self)
	// New threads, but no new processes and so no new namespaces either: the
	// kernel refuses both flags together.
	when("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD)
	// The second filter has to be loaded through the first.
	when("seccomp", 0, seccomp.Equal, unix.SECCOMP_SET_MODE_FILTER)
	if p.AllowUnixSockets {
		when("socket", 0, seccomp.Equal, unix.AF_UNIX)
		when("socketpair", 0, seccomp.Equal, unix.AF_UNIX)
		plain("connect")
	}
	if p.AllowUnixSockets && len(p.ListenIn) > 0 {
		plain("bind", "listen")
	}
	return seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{group}}
}

// clone3Filter answers clone3 with ENOSYS, after which C libraries fall back
// to clone, whose flags a filter can see. Of two filters the stricter answer
// counts, so it stands beside the allow-list.
func clone3Filter() seccomp.Policy {
	return seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{
			Names:  []string{"clone3"},
			Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS),
		}},
	}
}
