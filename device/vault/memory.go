package vault

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrSwap says that memory could be written to a disk and cannot be locked.
var ErrSwap = &fault.Error{Code: "vault.swap"}

// mclOnFault locks pages as they are first used (Linux 4.4): locking what is
// merely reserved would take memory that nobody uses.
const mclOnFault = 4

// LockMemory keeps all of the process in memory: not only keys, which are
// locked one by one, but the tables of ciphers, galleries and what an officer
// sees. It does nothing where the machine has no swap space. It fails with
// ErrSwap where there is some and this user may not lock enough.
func LockMemory() (locked bool, err error) {
	swaps, err := os.ReadFile("/proc/swaps")
	if err == nil && strings.Count(strings.TrimSpace(string(swaps)), "\n") == 0 {
		return false, nil // the heading alone
	}
	return lockAll()
}

// lockAll locks what is mapped now and later. Where the limit is not unlimited
// it does not try: the first allocation past it would end the process.
func lockAll() (bool, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return false, fault.Wrap(ErrSwap.Code, err)
	}
	may, err := mayLockAll()
	if err != nil {
		return false, fault.Wrap(ErrSwap.Code, err)
	}
	if limit.Max != unix.RLIM_INFINITY && !may {
		return false, swapError(errors.New("this user may lock only part of its memory"))
	}
	if limit.Max == unix.RLIM_INFINITY && limit.Cur != limit.Max {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}); err != nil {
			return false, swapError(err)
		}
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | mclOnFault); err != nil {
		return false, swapError(err)
	}
	return true, nil
}

func swapError(err error) error {
	return fault.New(ErrSwap.Code, "lock memory: %w", err).
		WithHint("switch swap off, or let this user lock memory without limit (LimitMEMLOCK=infinity, or CAP_IPC_LOCK)")
}

// mayLockAll reports whether the process has CAP_IPC_LOCK.
func mayLockAll() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0, nil
}
