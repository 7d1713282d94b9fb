package image

// #cgo CXXFLAGS: -std=c++14 -O2 -Wall
// #include "tempfile.h"
import "C"

import "sync"

// temporary is held while an encoder may use OpenCV's temporary file, of
// which there is one.
var temporary sync.Mutex

// dropTemporary frees what the encoder wrote. The lock is held.
func dropTemporary() { C.wp_drop_temporary() }
