package vault

import (
	"reflect"
	"unsafe"
)

// maxWipeDepth bounds how far wipeDeep follows pointers.
const maxWipeDepth = 8

// wipeDeep zeroes all numbers that v leads to: the key schedules and pads that
// crypto/aes, crypto/hmac and crypto/hpke make of a key on the Go heap, keep in
// fields of their own and offer no way to clear. The collector would free them
// and leave the bytes. TestAttackMemory finds what this misses.
//
// Nobody may use v afterwards, nor share what it leads to.
func wipeDeep(v any) { wipeValue(reflect.ValueOf(v), 0) }

func wipeValue(v reflect.Value, depth int) {
	if depth > maxWipeDepth || !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			wipeValue(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			wipeValue(v.Field(i), depth+1)
		}
	case reflect.Array:
		if v.CanAddr() && number(v.Type().Elem()) {
			wipe(unsafe.Slice((*byte)(unsafe.Pointer(v.UnsafeAddr())), v.Type().Size()))
		}
	case reflect.Slice:
		if !v.IsNil() && number(v.Type().Elem()) {
			wipe(unsafe.Slice((*byte)(v.UnsafePointer()), v.Cap()*int(v.Type().Elem().Size())))
		}
	}
}

// number reports whether t is numbers through and through.
func number(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return true
	case reflect.Array:
		return number(t.Elem())
	}
	return false
}
