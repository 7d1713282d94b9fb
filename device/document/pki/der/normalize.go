package der

// maxDepth bounds nesting in Normalize and in constructed strings. EF.SOD and
// master lists nest about twelve deep.
const maxDepth = 40

// Normalize reads one element from b and returns it with every indefinite
// length inside made definite, and what followed it. changed is false, and the
// element aliases b, when there was none. Elements that hold no indefinite
// length are carried over byte for byte, so that signed parts in DER keep
// their bytes. Contents of primitive elements are not looked into.
func Normalize(b []byte) (element, rest []byte, changed bool, err error) {
	out, n, changed, err := normalize(b, 0)
	if err != nil {
		return nil, nil, false, err
	}
	return out, b[n:], changed, nil
}

// normalize returns the definite form of the element at the start of b and the
// count of bytes it took in b.
func normalize(b []byte, depth int) (out []byte, used int, changed bool, err error) {
	if depth > maxDepth {
		return nil, 0, false, malformed("nested over %d levels", maxDepth)
	}
	h, err := parseHeader(b)
	if err != nil {
		return nil, 0, false, err
	}
	constructed := Element{ID: h.id}.Constructed()
	if !h.indefinite {
		used = h.size + h.length
		if !constructed {
			return b[:used], used, false, nil
		}
		return normalizeDefinite(b[:used], h, depth)
	}
	if !constructed {
		return nil, 0, false, malformed("indefinite length of a primitive element")
	}
	var content []byte
	used = h.size
	for {
		if len(b)-used < 2 {
			return nil, 0, false, malformed("end of contents is missing")
		}
		if b[used] == 0 && b[used+1] == 0 {
			used += 2
			return appendElement(nil, h.id, content), used, true, nil
		}
		child, n, _, err := normalize(b[used:], depth+1)
		if err != nil {
			return nil, 0, false, err
		}
		content = append(content, child...)
		used += n
	}
}

// normalizeDefinite handles a constructed element that fills b.
func normalizeDefinite(b []byte, h header, depth int) ([]byte, int, bool, error) {
	var content []byte
	anyChanged := false
	for at := h.size; at < len(b); {
		child, n, changed, err := normalize(b[at:], depth+1)
		if err != nil {
			return nil, 0, false, err
		}
		if changed && !anyChanged {
			content = append(content, b[h.size:at]...)
			anyChanged = true
		}
		if anyChanged {
			content = append(content, child...)
		}
		at += n
	}
	if !anyChanged {
		return b, len(b), false, nil
	}
	return appendElement(nil, h.id, content), len(b), true, nil
}

// appendElement appends an element in DER.
func appendElement(dst []byte, id ID, content []byte) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if c := byte(id >> shift); id>>shift != 0 {
			dst = append(dst, c)
		}
	}
	n := len(content)
	switch {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 1<<8:
		dst = append(dst, 0x81, byte(n))
	case n < 1<<16:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		dst = append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, content...)
}

// Marshal returns the DER of an element with the given content.
func Marshal(id ID, content ...[]byte) []byte {
	var all []byte
	for _, c := range content {
		all = append(all, c...)
	}
	return appendElement(nil, id, all)
}
