package target

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

var at = Path{"un", KindList, "un-sc"}

// example is a sealed target of one file.
func example(t testing.TB) (*Manifest, *vault.Key, [][]byte) {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	m := &Manifest{Format: Format, Path: at.String(), Version: 7, Created: time.Unix(1, 0).UTC(), Expires: time.Unix(2, 0).UTC(), Key: KeyName{"un-sc", 1}}
	chunk, err := m.SealChunkKey(ring, key)
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("x"), ChunkSize+5)
	f := File{Path: "records.db", Size: int64(len(plain))}
	var objects [][]byte
	for n := range 2 {
		raw, err := m.SealChunk(nil, chunk, plain[n*ChunkSize:min(len(plain), (n+1)*ChunkSize)], 0, n)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, raw)
		f.Chunks = append(f.Chunks, Chunk{SumOf(raw), int64(len(raw))})
	}
	m.Files = []File{f}
	return m, key, objects
}

func TestChunksOpenAtTheirPlaceOnly(t *testing.T) {
	m, key, objects := example(t)
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = DecodeManifest(raw, at); err != nil {
		t.Fatal(err)
	}
	chunk, err := m.ChunkKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{ChunkSize, 5} {
		if plain, err := m.OpenChunk(nil, chunk, objects[n], 0, n); err != nil || len(plain) != want {
			t.Errorf("chunk %d: %d bytes, %v", n, len(plain), err)
		}
	}
	for name, c := range map[string]struct {
		sealed []byte
		n      int
		code   fault.Code
	}{
		"the other's bytes": {objects[0], 1, "listfeed.hash"},
		"a byte less":       {objects[1][1:], 1, "listfeed.hash"},
		"nothing":           {nil, 1, "listfeed.hash"},
	} {
		if _, err := m.OpenChunk(nil, chunk, c.sealed, 0, c.n); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Where two of the owner have signed one chunk into another's place.
	m.Files[0].Chunks[1] = Chunk{SumOf(objects[0]), int64(len(objects[0]))}
	if _, err := m.OpenChunk(nil, chunk, objects[0], 0, 1); fault.CodeOf(err) != "listfeed.sealed" {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"metadata/timestamp.json": true, "metadata/7.un.json": true, ObjectName(Sum{}): true,
		"metadata/0.un.json": false, "metadata/../x": false, "objects/00/" + "00": false, "/metadata/timestamp.json": false, "metadata/timestamp.json\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q", name)
		}
	}
	for _, p := range []string{"", "un", "un/list", "un/list/a/b", "un//x", "UN/list/x", "../list/x", "un/list/*"} {
		if _, err := ParsePath(p); fault.CodeOf(err) != "listfeed.path" {
			t.Errorf("%q: %v", p, err)
		}
	}
	for p, want := range map[string]bool{"records.db": true, "trust/un/a.pem": true, "../x": false, "/x": false, "a//b": false, ".x": false, "a/./b": false, "a/b/c/d/e/f/g/h/i": false} {
		if ValidFile(p) != want {
			t.Errorf("%q", p)
		}
	}
}

// sound holds what was decoded to what a second reader sees.
func sound[T any](t *testing.T, v T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	raw, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decode(raw)
	if err != nil {
		t.Fatalf("what was read is refused when it is written: %v", err)
	}
	a, _ := json.Marshal(v)
	b, _ := json.Marshal(again)
	if !bytes.Equal(a, b) {
		t.Fatal("it reads otherwise the second time")
	}
}

func FuzzManifest(f *testing.F) {
	m, _, _ := example(f)
	raw, err := m.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := DecodeManifest(raw, at)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			return
		}
		sound(t, m, (*Manifest).Encode, func(raw []byte) (*Manifest, error) { return DecodeManifest(raw, at) })
	})
}

func FuzzDevices(f *testing.F) {
	p := Path{"un", KindDevices, "un-sc"}
	f.Add([]byte(`{"format":1,"path":"un/devices/un-sc","epoch":1,"devices":[{"id":"0123456789abcdef","key":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := DecodeDevices(raw, p)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			return
		}
		sound(t, d, (*Devices).Encode, func(raw []byte) (*Devices, error) { return DecodeDevices(raw, p) })
	})
}

func FuzzSegments(f *testing.F) {
	p := Path{"un", KindSegment, "un-sc"}
	f.Add([]byte(`{"format":1,"path":"un/segment/un-sc","generation":1,"key":{"name":"un-sc","epoch":1},"segments":[{"sha256":"` + Sum{}.String() + `","size":99}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeSegments(raw, p)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			return
		}
		sound(t, s, (*Segments).Encode, func(raw []byte) (*Segments, error) { return DecodeSegments(raw, p) })
	})
}

func FuzzBundle(f *testing.F) {
	b := &Bundle{Timestamp: []byte("t"), Snapshot: []byte("s"), Roles: map[string][]byte{"un": []byte("r")}, Objects: [][]byte{[]byte("o")}}
	raw, err := b.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(append(raw, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeBundle(raw)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			return
		}
		sound(t, b, (*Bundle).Encode, DecodeBundle)
	})
}

func TestAttackBundle(t *testing.T) {
	good, err := (&Bundle{Timestamp: []byte("t"), Snapshot: []byte("s")}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		code fault.Code
	}{
		"empty":           {nil, "listfeed.format"},
		"bytes after":     {append(bytes.Clone(good), 0), "listfeed.format"},
		"a key twice":     {[]byte{0xa3, 2, 0x41, 't', 3, 0x41, 's', 2, 0x41, 'u'}, "listfeed.format"},
		"an unknown key":  {[]byte{0xa3, 2, 0x41, 't', 3, 0x41, 's', 9, 0x41, 'u'}, "listfeed.format"},
		"endless lengths": {[]byte{0xa1, 2, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "listfeed.format"},
		"a billion parts": {[]byte{0xa1, 5, 0x9a, 0x3b, 0x9a, 0xca, 0x00}, "listfeed.format"},
		"no snapshot":     {[]byte{0xa1, 2, 0x41, 't'}, "listfeed.format"},
		"over its size":   {make([]byte, MaxBundle+1), "listfeed.too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeBundle(c.raw); fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}
