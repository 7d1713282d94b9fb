// Package sandbox takes away from the running process what its role does not
// need: the network, other programs, other processes and every file but the
// named ones (design sections 3 and 6). It is for the capture processes, which
// run C on untrusted bytes.
//
// Two kernel mechanisms are used together. A seccomp filter is an allow-list
// of system calls: what is not listed answers EPERM. Landlock limits which
// paths can still be opened. Files and sockets that are open already stay
// usable, so a listener or an inherited connection is made before Enter.
package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// Sentinels for errors.Is.
var (
	// ErrUnavailable: the kernel cannot confine the process; nothing may run.
	ErrUnavailable = &fault.Error{Code: "sandbox.unavailable"}
	// ErrProfile: a named path does not exist or cannot be looked at.
	ErrProfile = &fault.Error{Code: "sandbox.profile"}
)

// Profile names what stays allowed. The zero value leaves computing, memory
// and the files already open.
type Profile struct {
	// ReadOnly are files and folders that can be read, a folder with all
	// below it. Each must exist.
	ReadOnly []string
	// ReadWrite are files and folders that can be read, written, created in
	// and deleted from. Each must exist.
	ReadWrite []string
	// Devices are device nodes to open for reading, writing and ioctl.
	Devices []string
	// DeviceFolders are folders of device nodes that come and go, to open like
	// Devices. Each must exist.
	DeviceFolders []string
	// Libraries adds read access to the system's library folders and to the
	// few tables of /etc and /proc that C libraries look up at run time. Paths
	// missing on this system are passed over.
	Libraries bool
	// AllowUnixSockets permits creating and connecting sockets of the family
	// AF_UNIX, and of no other. Accepting on a listener made before Enter
	// needs no permission.
	AllowUnixSockets bool
	// UnixSockets are the sockets (or folders of sockets) to connect to, for
	// kernels that can tell (Landlock ABI 9); paths missing are passed over.
	UnixSockets []string
	// ListenIn are folders to make listening unix sockets in and to take them
	// away from; only with AllowUnixSockets. Each must exist.
	ListenIn []string
	// MaxData bounds the process's writable private memory, in bytes
	// (RLIMIT_DATA); 0 sets no bound.
	MaxData uint64
}

// systemPaths are read by dynamic linking, locale, time zone and codec tables.
var systemPaths = [...]string{
	"/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share",
	"/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives",
	"/proc/cpuinfo", "/proc/meminfo", "/proc/self/maps",
	"/sys/devices/system/cpu", "/sys/class/video4linux", "/dev/null", "/dev/urandom",
}

// Enter confines the whole process, all threads, for good: there is no way
// back and children inherit it. On error the process may be confined in part
// and must end. Call it once, before the first outside byte is read.
func Enter(p Profile) error {
	version, err := ll.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return fault.New("sandbox.unavailable", "kernel without Landlock").
			WithHint("enable the Landlock security module (kernel parameter lsm=landlock,...)")
	}
	rules, err := p.rules()
	if err != nil {
		return err
	}
	if p.MaxData > 0 {
		limit := &unix.Rlimit{Cur: p.MaxData, Max: p.MaxData}
		if err := unix.Setrlimit(unix.RLIMIT_DATA, limit); err != nil {
			return fault.Wrap("sandbox.unavailable", fmt.Errorf("limit memory: %w", err))
		}
	}
	// Landlock comes first: below ABI 8 its library reaches all threads with
	// signals, which the filter refuses.
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return fault.Wrap("sandbox.unavailable", fmt.Errorf("landlock: %w", err))
	}
	if err := loadFilter(p); err != nil {
		return err
	}
	// Not dumpable: no core file of a traveller's picture, no attaching by
	// another process of the same user.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fault.Wrap("sandbox.unavailable", fmt.Errorf("set non-dumpable: %w", err))
	}
	return nil
}

const (
	readFile  = landlock.AccessFSSet(ll.AccessFSReadFile)
	readDir   = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
	writeFile = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate)
	writeDir  = writeFile | landlock.AccessFSSet(ll.AccessFSReadDir|ll.AccessFSMakeReg|ll.AccessFSMakeDir|
		ll.AccessFSRemoveFile|ll.AccessFSRemoveDir)
	device    = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSIoctlDev)
	deviceDir = device | landlock.AccessFSSet(ll.AccessFSReadDir)
	listenDir = landlock.AccessFSSet(ll.AccessFSReadDir | ll.AccessFSMakeSock | ll.AccessFSRemoveFile)
)

// rules turns the profile into Landlock rules. None grants execution: no role
// starts a program.
func (p Profile) rules() ([]landlock.Rule, error) {
	// The process's own threads can be looked at, for verifyFilter.
	rules := []landlock.Rule{landlock.PathAccess(readDir, "/proc/self/task")}
	add := func(path string, file, dir landlock.AccessFSSet) error {
		info, err := os.Stat(path)
		if err != nil {
			return fault.Wrap("sandbox.profile", err)
		}
		access := file
		if info.IsDir() {
			access = dir
		}
		rules = append(rules, landlock.PathAccess(access, path))
		return nil
	}
	for _, path := range p.ReadOnly {
		if err := add(path, readFile, readDir); err != nil {
			return nil, err
		}
	}
	for _, path := range p.ReadWrite {
		if err := add(path, writeFile, writeDir); err != nil {
			return nil, err
		}
	}
	for _, path := range p.Devices {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fault.Wrap("sandbox.profile", err)
		}
		if info.Mode()&fs.ModeDevice == 0 {
			return nil, fault.New("sandbox.profile", "%s is not a device", path)
		}
		rules = append(rules, landlock.PathAccess(device, path))
	}
	for access, paths := range map[landlock.AccessFSSet][]string{deviceDir: p.DeviceFolders, listenDir: p.ListenIn} {
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil {
				return nil, fault.Wrap("sandbox.profile", err)
			} else if !info.IsDir() {
				return nil, fault.New("sandbox.profile", "%s is not a folder", path)
			}
			rules = append(rules, landlock.PathAccess(access, path))
		}
	}
	if p.Libraries {
		for _, path := range systemPaths {
			if _, err := os.Stat(path); err != nil {
				continue
			}
			if err := add(path, readFile, readDir); err != nil {
				return nil, err
			}
		}
	}
	if p.AllowUnixSockets {
		for _, path := range p.UnixSockets {
			rules = append(rules, landlock.PathAccess(ll.AccessFSResolveUnix, path).IgnoreIfMissing())
		}
	}
	return rules, nil
}

// verifyFilter reads from /proc that each thread runs under a filter: the
// kernel reports a thread it could not synchronise as a positive number, which
// the filter library takes for success.
func verifyFilter() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fault.Wrap("sandbox.unavailable", fmt.Errorf("verify filter: %w", err))
	}
	for _, thread := range threads {
		status, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/status")
		if err != nil {
			continue // the thread has ended meanwhile
		}
		if !strings.Contains(string(status), "\nSeccomp:\t2\n") {
			return fault.New("sandbox.unavailable", "a thread runs without the filter on %s", runtime.GOARCH)
		}
	}
	return nil
}
