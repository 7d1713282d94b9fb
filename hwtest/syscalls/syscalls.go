// Package syscalls runs a program under strace: to log what it does to files
// with every byte, or to make one of its calls fail.
package syscalls

import (
	"os/exec"
	"strconv"
	"testing"
)

// changing are the calls that change files or make changes last, and what is
// needed to know which file a number names. copy_file_range and the like are
// traced so that Read can refuse what it does not model.
const changing = "openat,close,lseek,dup,dup2,dup3," +
	"write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,sendfile,splice," +
	"fsync,fdatasync,sync_file_range,syncfs," +
	"rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat"

// longest is how many bytes of one call are logged.
const longest = 16 << 20

// under puts strace in front of a command that was not started.
func under(t testing.TB, cmd *exec.Cmd, options ...string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing: make deps installs it")
	}
	cmd.Args = append(append([]string{strace, "-f", "-qqq"}, options...), append([]string{"--", cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = strace
}

// Log has cmd log its changes of files to the file log.
func Log(t testing.TB, cmd *exec.Cmd, log string) {
	t.Helper()
	under(t, cmd, "-o", log, "-xx", "-s", strconv.Itoa(longest), "-e", "trace="+changing, "--seccomp-bpf")
}

// Failure is one call that is made to fail.
type Failure struct {
	Call  string // name of the call
	Nth   int    // from 1, counted within each thread
	Error string // EIO, ENOSPC...
	// Paths bounds the calls to those on these files; none bounds nothing.
	Paths []string
}

// Fail has one call of cmd fail without being done. The caller of it in cmd
// should stay on one thread.
func Fail(t testing.TB, cmd *exec.Cmd, f Failure) {
	t.Helper()
	options := []string{"-o", "/dev/null", "--seccomp-bpf", "-e", "trace=" + f.Call, "--inject=" + f.Call + ":error=" + f.Error + ":when=" + strconv.Itoa(f.Nth)}
	for _, p := range f.Paths {
		options = append(options, "-P", p)
	}
	under(t, cmd, options...)
}
