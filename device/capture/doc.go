// Package capture is the daemon's and the command line's side of the capture
// processes: it starts or dials them, asks them, and turns their answers into
// Go values and coded errors. It is pure Go; devices, C and outside images stay
// in the processes (design section 3). What a process answers is checked here
// again, since it runs C on outside bytes.
package capture
