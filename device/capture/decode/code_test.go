package decode_test

import "github.com/watchpost/watchpost/device/fault"

func code(err error) string { return string(fault.CodeOf(err)) }
