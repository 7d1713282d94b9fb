package encounter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestNoMatchLeavesNoBiometrics looks for planted templates and the picture in
// every file that an admitted encounter left behind, opened and sealed.
func TestNoMatchLeavesNoBiometrics(t *testing.T) {
	b := newBench(t)
	b.plant()
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.post.Evidence(e.ID, "s1", "border_check"); !errors.Is(err, ErrNoEvidence) {
		t.Errorf("evidence of an admitted person: %v", err)
	}
	opened, err := b.post.Store.Encounter(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	files := b.files()
	files["the encounter, opened"] = opened
	for name, raw := range files {
		for what, needle := range b.needles() {
			if bytes.Contains(raw, needle) {
				t.Errorf("%s holds the %s", name, what)
			}
		}
	}
}

// Pictures that a test plants.
var (
	plantedChip  = bytes.Repeat([]byte("planted portrait "), 8)
	plantedShot  = bytes.Repeat([]byte("planted picture "), 8)
	plantedChip2 = []byte("jpeg of the chip's portrait") // as the decode process makes it anew
)

// plant gives the next person pictures that can be looked for.
func (b *bench) plant() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.document.Portrait = bytes.Clone(plantedChip)
	b.shot.Picture = bytes.Clone(plantedShot)
}

// needles are what no file may hold in clear: the pictures and templates in
// the forms in which they could have been written.
func (b *bench) needles() map[string][]byte {
	vector := person(0.01).Vector
	text, err := json.Marshal(vector)
	if err != nil {
		b.t.Fatal(err)
	}
	var bits []byte
	for _, x := range vector[:2] {
		bits = binary.LittleEndian.AppendUint32(bits, math.Float32bits(x))
	}
	needles := map[string][]byte{"template": text[1:40], "template's values": bits}
	for what, p := range map[string][]byte{"portrait": plantedChip, "picture": plantedShot, "portrait made anew": plantedChip2} {
		needles[what] = p[:16]
		needles[what+" in base64"] = []byte(base64.StdEncoding.EncodeToString(p)[:20])
	}
	return needles
}

// files returns every file of the post.
func (b *bench) files() map[string][]byte {
	b.t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}
