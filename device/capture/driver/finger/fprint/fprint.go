// Package fprint binds libfprint 2 (Debian 12: 1.94.5, LGPL-2.1+): images of
// single fingers from sensors of its image devices, and news of sensors that
// come and go. It is all the C of the fingerprint driver.
//
// Every call into the library is made on one locked thread that runs GLib's
// default main context; libfprint's drivers put their sources there, and its
// calls that wait are not used at all, as they would run that context from
// another thread. Go posts requests and gets answers on a channel.
//
// Known of the library: a virtual device shows up in the context that was made
// after its environment variable was set, once, so a new context is made to
// find one again; it searches each image for minutiae before it hands it over,
// which puts those of mirrored and inverted sensors upright, and rejects a
// touch in which there are none; the resolution is told for hardly any sensor.
package fprint

/*
#cgo pkg-config: libfprint-2 gio-2.0
#include <stdlib.h>
#include "loop.h"
*/
import "C"

import (
	"context"
	"os"
	"runtime"
	"runtime/cgo"
	"sync"
)

// Names of the library's virtual drivers.
const (
	VirtualImage   = "virtual_image"          // gives the images that a feeder sends
	VirtualStorage = "virtual_device_storage" // compares by itself, gives no image
)

// variables name the socket of each virtual driver in the environment; ignored
// are those that would bring other devices than the configuration's.
var (
	variables = map[string]string{
		VirtualImage:     "FP_VIRTUAL_IMAGE",
		VirtualStorage:   "FP_VIRTUAL_DEVICE_STORAGE",
		"virtual_device": "FP_VIRTUAL_DEVICE",
	}
	ignored = [...]string{"FP_VIRTUAL_DEVICE_STORAGE_NO_LIST", "FP_DEVICE_EMULATION"}
)

// Library is one use of libfprint; a process has at most one. Its methods are
// safe for concurrent use.
type Library struct {
	c      *C.wp_library
	events chan Event

	mu      sync.Mutex
	stopped bool // guarded by mu: nobody reads events any more
	done    chan struct{}
}

// Open makes the library ready, so that it has its own sockets to the kernel
// before a sandbox closes that way. Virtual maps virtual drivers to the socket
// that each shall listen on; virtual devices that only the environment names
// are not had.
func Open(virtual map[string]string) (*Library, error) {
	for driver, variable := range variables {
		var err error
		if path := virtual[driver]; path != "" {
			err = os.Setenv(variable, path)
		} else {
			err = os.Unsetenv(variable)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, variable := range ignored {
		if err := os.Unsetenv(variable); err != nil {
			return nil, err
		}
	}
	l := &Library{events: make(chan Event, 64), done: make(chan struct{})}
	l.c = C.wp_new(C.uintptr_t(cgo.NewHandle(l)))
	return l, nil
}

// Run works until ctx ends. Events has to be read meanwhile.
func (l *Library) Run(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		if !l.stopped {
			l.stopped = true
			close(l.done)
		}
		l.mu.Unlock()
		C.wp_stop(l.c)
	})
	defer stop()
	C.wp_run(l.c)
}

// Events are what happens, in order.
func (l *Library) Events() <-chan Event { return l.events }

// Refresh looks for sensors that have come and opens those that are not open;
// fresh finds virtual ones again, too.
func (l *Library) Refresh(fresh bool) {
	flag := C.int(0)
	if fresh {
		flag = 1
	}
	C.wp_refresh(l.c, flag)
}

// Capture waits for a finger on the sensor; exactly one Image or Failed event
// of that number answers.
func (l *Library) Capture(number uint) { C.wp_capture(l.c, C.uint(number)) }

// Cancel ends the capture that runs, with a Failed event of kind Canceled
// unless it had ended already.
func (l *Library) Cancel(number uint) { C.wp_cancel(l.c, C.uint(number)) }

// send hands an event on unless nobody reads any more.
func (l *Library) send(e Event) {
	select {
	case l.events <- e:
	case <-l.done:
	}
}
