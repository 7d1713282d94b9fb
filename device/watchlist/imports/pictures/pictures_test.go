package pictures_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports/pictures"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
)

// desk stands for the decode role: it decodes with Go's decoders and finds a
// face in every picture that is taller than wide.
type desk struct {
	calls atomic.Int32
	ready error
	fail  map[string]error // by the picture's first bytes
}

func (d *desk) Ready(context.Context) error { return d.ready }

func (d *desk) decode(img []byte) (image.Image, error) {
	d.calls.Add(1)
	for first, err := range d.fail {
		if bytes.HasPrefix(img, []byte(first)) {
			return nil, err
		}
	}
	decoded, _, err := image.Decode(bytes.NewReader(img))
	if err != nil {
		return nil, &fault.Error{Code: "image.format"}
	}
	return decoded, nil
}

func (d *desk) RGB(_ context.Context, img []byte) (pictures.Raster, error) {
	m, err := d.decode(img)
	if err != nil {
		return pictures.Raster{}, err
	}
	b := m.Bounds()
	r := pictures.Raster{Width: b.Dx(), Height: b.Dy()}
	for y := range r.Height {
		for x := range r.Width {
			red, green, blue, _ := m.At(x, y).RGBA()
			r.Pix = append(r.Pix, byte(red>>8), byte(green>>8), byte(blue>>8))
		}
	}
	return r, nil
}

func (d *desk) Grey(ctx context.Context, img []byte) (pictures.Raster, error) {
	r, err := d.RGB(ctx, img)
	for i := 0; i < len(r.Pix); i += 3 {
		r.Pix[i/3] = r.Pix[i]
	}
	r.Pix = r.Pix[:len(r.Pix)/3]
	return r, err
}

func (d *desk) Face(_ context.Context, img []byte) (pictures.Found, error) {
	m, err := d.decode(img)
	if err != nil {
		return pictures.Found{}, err
	}
	if b := m.Bounds(); b.Dx() >= b.Dy() {
		return pictures.Found{}, &fault.Error{Code: "face.none"}
	}
	f := pictures.Found{Quality: 50, Faces: 1}
	f.Template.Model, f.Template.Version, f.Template.Images = "m", "1", 1
	for i := range f.Template.Vector {
		f.Template.Vector[i] = float32(1 / math.Sqrt(float64(len(f.Template.Vector))))
	}
	return f, nil
}

func portrait(t testing.TB) []byte {
	raw, err := persona.Portrait(7)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// drawn is one print; drawing it takes a second.
var drawn = sync.OnceValue(func() *image.Gray {
	return prints.NewMaster(3).Impression(prints.Draw(rand.New(rand.NewPCG(5, 6)), 0.2), 4)
})

func finger(t testing.TB) []byte { return encoded(t, drawn()) }

func encoded(t testing.TB, img image.Image) []byte {
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func maker(t testing.TB, d *desk) *pictures.Maker {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &pictures.Maker{Decoder: d, Root: root}
}

func TestPrepare(t *testing.T) {
	d := &desk{}
	m := maker(t, d)
	if err := os.WriteFile(filepath.Join(m.Root.Name(), "a.jpg"), portrait(t), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &record.Record{
		Photographs: []record.Photograph{{File: "a.jpg"}, {Image: portrait(t)}},
		Prints:      []record.Print{{Position: 2, Impress: record.PressedLive, Image: finger(t)}, {Position: 3, Image: finger(t), DPI: 500}},
	}
	problems, notes, err := m.Prepare(t.Context(), r)
	if err != nil || len(problems)+len(notes) > 0 {
		t.Fatalf("%v, %v, %v", problems, notes, err)
	}
	if len(r.Photographs) != 2 || len(r.Faces) != 2 || len(r.Fingers) != 2 || r.Prints != nil {
		t.Fatalf("%d photographs, %d faces, %d fingers", len(r.Photographs), len(r.Faces), len(r.Fingers))
	}
	if f := r.Fingers; f[0].Position != 2 || f[0].Impress != record.PressedLive || f[1].Impress != record.PressUnstated {
		t.Errorf("fingers %d %s, %s", f[0].Position, f[0].Impress, f[1].Impress)
	}
	for _, p := range r.Photographs {
		img, err := jpeg.Decode(bytes.NewReader(p.Image))
		if err != nil || p.File != "" || len(p.Image) > record.MaxPhotograph || max(img.Bounds().Dx(), img.Bounds().Dy()) != 320 {
			t.Errorf("%d bytes, %v", len(p.Image), err)
		}
	}
	whole := *r
	whole.Schema, whole.ID, whole.Edition, whole.List, whole.Owner, whole.LegalBasis, whole.Purpose = 1, "x", 1, "l", "o", "b", "p"
	whole.Handling.Action = record.Refer
	if err := whole.Validate(); err == nil || !strings.Contains(err.Error(), "expires") || strings.Contains(err.Error(), ",") {
		t.Errorf("but for its expiry the record must be one: %v", err)
	}
	// Again, as list build does with what list import made: nothing is added.
	if problems, _, err := m.Prepare(t.Context(), r); err != nil || len(problems) > 0 || len(r.Faces) != 2 || len(r.Photographs) != 2 {
		t.Errorf("%v, %v, %d faces", problems, err, len(r.Faces))
	}
}

// A record without pictures never asks for the decode role.
func TestNoPictures(t *testing.T) {
	m := maker(t, &desk{ready: errors.New("must not be asked")})
	if _, _, err := m.Prepare(t.Context(), &record.Record{ID: "x"}); err != nil {
		t.Error(err)
	}
}

// TestAttackPictures brings pictures that somebody hostile has put into a list:
// none is kept as it was given, the record stays, and the reason is told
// without a word of what stood there.
func TestAttackPictures(t *testing.T) {
	d := &desk{fail: map[string]error{
		"\xff\xd8killer": &fault.Error{Code: "capture.lost", Cause: errors.New("SECRET")},
		"\xff\xd8slow":   &fault.Error{Code: "call.deadline", Cause: errors.New("SECRET")},
		"\xff\xd8huge":   &fault.Error{Code: "image.too_large", Cause: errors.New("SECRET")},
		"\xff\xd8cut":    &fault.Error{Code: "image.truncated", Cause: errors.New("SECRET")},
		"\xff\xd8liar":   &fault.Error{Code: "decode.answer", Cause: errors.New("SECRET")},
	}}
	m := maker(t, d)
	root := m.Root.Name()
	outside := filepath.Join(t.TempDir(), "outside.jpg")
	write := func(path string, raw []byte) {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(outside, portrait(t))
	write(filepath.Join(root, "big.jpg"), nil)
	for _, err := range []error{
		os.Truncate(filepath.Join(root, "big.jpg"), pictures.MaxFile+1),
		os.Symlink(outside, filepath.Join(root, "link.jpg")),
		os.Symlink("/dev/zero", filepath.Join(root, "zero.jpg")),
		os.Mkdir(filepath.Join(root, "folder.jpg"), 0o700),
		os.Symlink(filepath.Dir(outside), filepath.Join(root, "way")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		photo record.Photograph
		code  fault.Code
	}{
		"path upwards":                  {record.Photograph{File: "../" + filepath.Base(filepath.Dir(outside)) + "/outside.jpg"}, "picture.file"},
		"path from the root":            {record.Photograph{File: outside}, "picture.file"},
		"link that leads outside":       {record.Photograph{File: "link.jpg"}, "picture.file"},
		"link to an endless device":     {record.Photograph{File: "zero.jpg"}, "picture.file"},
		"folder that leads outside":     {record.Photograph{File: "way/outside.jpg"}, "picture.file"},
		"folder":                        {record.Photograph{File: "folder.jpg"}, "picture.file"},
		"missing":                       {record.Photograph{File: "none.jpg"}, "picture.file"},
		"larger than is read":           {record.Photograph{File: "big.jpg"}, "image.too_large"},
		"nothing":                       {record.Photograph{}, "picture.empty"},
		"path and picture":              {record.Photograph{File: "a.jpg", Image: []byte("x")}, "picture.empty"},
		"digest of a picture":           {record.Photograph{SHA256: make([]byte, 32)}, "record.conflict"},
		"no picture":                    {record.Photograph{Image: []byte("<script>SECRET</script>")}, "image.format"},
		"start of a JPEG":               {record.Photograph{Image: []byte("\xff\xd8\xff\xe0SECRET")}, "image.format"},
		"ends the decode process":       {record.Photograph{Image: []byte("\xff\xd8killer")}, "capture.lost"},
		"takes for ever":                {record.Photograph{Image: []byte("\xff\xd8slow")}, "call.deadline"},
		"claims a million by a million": {record.Photograph{Image: []byte("\xff\xd8huge")}, "image.too_large"},
		"cut":                           {record.Photograph{Image: []byte("\xff\xd8cut")}, "image.truncated"},
		"overtakes the decode process":  {record.Photograph{Image: []byte("\xff\xd8liar")}, "decode.answer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record.Record{ID: "1", Photographs: []record.Photograph{c.photo, {Image: portrait(t)}}}
			problems, _, err := m.Prepare(t.Context(), r)
			if err != nil || len(problems) != 1 || problems[0].Code != c.code || problems[0].Field != "photographs[0]" || strings.Contains(problems[0].Reason, "SECRET") {
				t.Errorf("%+v, %v", problems, err)
			}
			if len(r.Photographs) != 1 || len(r.Faces) != 1 {
				t.Errorf("the sound picture beside it is lost: %d photographs, %d faces", len(r.Photographs), len(r.Faces))
			}
		})
	}
	for name, c := range map[string]struct {
		print record.Print
		code  fault.Code
	}{
		"no print":     {record.Print{Image: encoded(t, image.NewGray(image.Rect(0, 0, 300, 400)))}, "finger.enrol"},
		"position":     {record.Print{Image: finger(t), Position: 11}, "record.range"},
		"resolution":   {record.Print{Image: finger(t), DPI: 5}, "finger.dpi"},
		"print upward": {record.Print{File: "../x.wsq"}, "picture.file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record.Record{ID: "1", Prints: []record.Print{c.print}}
			problems, _, err := m.Prepare(t.Context(), r)
			if err != nil || len(problems) != 1 || problems[0].Code != c.code || len(r.Fingers)+len(r.Prints) > 0 {
				t.Errorf("%+v, %v, %d fingers", problems, err, len(r.Fingers))
			}
		})
	}
	t.Run("more than a record may have", func(t *testing.T) {
		before := d.calls.Load()
		r := &record.Record{Photographs: make([]record.Photograph, 5000), Prints: make([]record.Print, 5000)}
		problems, _, err := m.Prepare(t.Context(), r)
		if err != nil || problems[0].Code != "record.too_many" || d.calls.Load() != before || len(problems) > 50 {
			t.Errorf("%d problems, %v", len(problems), err)
		}
	})
}

func TestNotes(t *testing.T) {
	wide := encoded(t, image.NewGray(image.Rect(0, 0, 80, 40)))
	r := &record.Record{Photographs: []record.Photograph{{Image: wide}}}
	problems, notes, err := maker(t, &desk{}).Prepare(t.Context(), r)
	if err != nil || len(problems) > 0 || len(notes) != 1 || notes[0].Code != "face.none" || len(r.Photographs) != 1 || len(r.Faces) != 0 {
		t.Errorf("%v, %v, %v", problems, notes, err)
	}
}

func TestMachineAtFault(t *testing.T) {
	r := &record.Record{Photographs: []record.Photograph{{Image: portrait(t)}}}
	if _, _, err := maker(t, &desk{ready: &fault.Error{Code: "models.missing"}}).Prepare(t.Context(), r); fault.CodeOf(err) != "models.missing" {
		t.Errorf("without models: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &desk{fail: map[string]error{"\xff\xd8": &fault.Error{Code: "call.canceled"}}}
	r = &record.Record{Photographs: []record.Photograph{{Image: portrait(t)}}}
	if _, _, err := maker(t, d).Prepare(ctx, r); fault.CodeOf(err) != "import.stopped" {
		t.Errorf("stopped: %v", err)
	}
}

func TestOrder(t *testing.T) {
	o := pictures.Order[int]{Ahead: 4}
	gate := make(chan struct{})
	var got []int
	take := func(n int) error { got = append(got, n); return nil }
	for i := range 3 {
		if err := o.Add(i, func() { <-gate }, take); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 0 {
		t.Errorf("%v came before its work was done", got)
	}
	close(gate)
	for i := 3; i < 50; i++ {
		work := func() {}
		if i%3 == 0 {
			work = nil
		}
		if err := o.Add(i, work, take); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Finish(take); err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if i != n {
			t.Fatalf("order %v", got)
		}
	}
	if len(got) != 50 {
		t.Errorf("%d of 50", len(got))
	}
	stop := errors.New("enough")
	if err := o.Add(1, nil, func(int) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	o.Wait()
}
