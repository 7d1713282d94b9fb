package decode_test

import (
	"bytes"
	"context"
	"errors"
	stdimage "image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ximage "golang.org/x/image/draw"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/header"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// serve runs the service with real models over memory.
func serve(t *testing.T) (*capture.DecodeClient, context.Context) {
	t.Helper()
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		t.Skipf("SKIPPED: %v (%s)", err, "make deps fetches the face models")
	}
	service := decode.NewServer(2, decode.Engines(models, 2))
	server := grpc.NewServer(decode.Options()...)
	service.Register(server)
	listener := bufconn.Listen(1 << 20)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(decode.MaxMessage), grpc.MaxCallSendMsgSize(decode.MaxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return capture.NewDecodeClient(conn), ctx
}

// portrait is one of the two captures of one man that come with gocv.
func portrait(t *testing.T, name string) stdimage.Image {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "images", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func asPNG(t *testing.T, m stdimage.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func grey(m stdimage.Image) stdimage.Image {
	g := stdimage.NewGray(m.Bounds())
	draw.Draw(g, g.Bounds(), m, m.Bounds().Min, draw.Src)
	return g
}

func scaled(m stdimage.Image, w, h int) stdimage.Image {
	out := stdimage.NewRGBA(stdimage.Rect(0, 0, w, h))
	ximage.ApproxBiLinear.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
	return out
}

func TestFaceTemplate(t *testing.T) {
	client, ctx := serve(t)
	live, chip := portrait(t, "face.jpg"), portrait(t, "face-detect.jpg")
	get := func(name string, m stdimage.Image) capture.Face {
		t.Helper()
		f, err := client.FaceTemplate(ctx, asPNG(t, m), decodev1.FaceEngine_FACE_ENGINE_UNSPECIFIED)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !f.Box.Overlaps(m.Bounds()) || f.Template.Check() != nil || len(f.Components) == 0 {
			t.Errorf("%s: box %v, template %v, %d components", name, f.Box, f.Template.Check(), len(f.Components))
		}
		return f
	}
	a, b := get("live", live), get("chip", chip)
	if s, err := template.Cosine(&a.Template, &b.Template); err != nil || s < 0.96 {
		t.Errorf("two captures of one man score %v, %v", s, err)
	}
	if a.Faces != 1 || a.Box.Dx() < 120 || a.Box.Dx() > 260 || a.Quality < 30 {
		t.Errorf("%d faces, box %v, quality %v", a.Faces, a.Box, a.Quality)
	}
	for name, m := range map[string]stdimage.Image{
		"grey": grey(live), "large": scaled(live, 2560, 1920), "small": scaled(live, 200, 150),
	} {
		f := get(name, m)
		if s, _ := template.Cosine(&a.Template, &f.Template); s < 0.97 {
			t.Errorf("%s: scores %v against the picture itself", name, s)
		}
	}
	again := get("again", live)
	if again.Template != a.Template {
		t.Error("the same picture gives another template")
	}

	// A man of some 100 pixels in a picture that is halved three times.
	far := stdimage.NewRGBA(stdimage.Rect(0, 0, 5400, 4000))
	draw.Draw(far, far.Bounds(), stdimage.NewUniform(color.Gray{128}), stdimage.Point{}, draw.Src)
	draw.Draw(far, stdimage.Rect(4000, 2000, 4350, 2262), scaled(live, 350, 262), stdimage.Point{}, draw.Src)
	small := get("far away", far)
	if s, _ := template.Cosine(&a.Template, &small.Template); s < 0.9 {
		t.Errorf("far away: scores %v against the picture itself", s)
	}

	two := stdimage.NewRGBA(stdimage.Rect(0, 0, 1100, 480))
	draw.Draw(two, two.Bounds(), stdimage.NewUniform(color.Gray{128}), stdimage.Point{}, draw.Src)
	draw.Draw(two, stdimage.Rect(0, 0, 640, 480), live, stdimage.Point{}, draw.Src)
	draw.Draw(two, stdimage.Rect(700, 100, 1000, 340), scaled(chip, 300, 240), stdimage.Point{}, draw.Src)
	if f := get("two faces", two); f.Faces != 2 || f.Box.Max.X > 640 {
		t.Errorf("%d faces, box %v; want 2 and the larger one", f.Faces, f.Box)
	}
}

func TestFaceTemplateRefusals(t *testing.T) {
	client, ctx := serve(t)
	black := stdimage.NewGray(stdimage.Rect(0, 0, 320, 240))
	whole := asPNG(t, portrait(t, "face.jpg"))
	for name, c := range map[string]struct {
		b      []byte
		engine decodev1.FaceEngine
		want   string
	}{
		"black frame": {asPNG(t, black), 0, "face.none"}, "one pixel": {asPNG(t, stdimage.NewGray(stdimage.Rect(0, 0, 1, 1))), 0, "face.none"},
		"32 pixels": {asPNG(t, stdimage.NewGray(stdimage.Rect(0, 0, 32, 32))), 0, "face.none"},
		"a strip":   {asPNG(t, stdimage.NewGray(stdimage.Rect(0, 0, 1200, 33))), 0, "face.none"}, "a high strip": {asPNG(t, stdimage.NewGray(stdimage.Rect(0, 0, 33, 1280))), 0, "face.none"},
		"text": {[]byte("no picture"), 0, "image.format"}, "nothing": {nil, 0, "image.truncated"}, "cut": {whole[:len(whole)/2], 0, "image.truncated"},
		"wsq cut": {[]byte("\xff\xa0\xff\xa8"), 0, "image.truncated"}, "claims a gigapixel": {[]byte("P5 30000 30000 255 "), 0, "image.too_large"},
		"too many bytes": {make([]byte, header.MaxBytes+1), 0, "image.too_large"}, "no such engine": {whole, 99, "face.engine"},
	} {
		if _, err := client.FaceTemplate(ctx, c.b, c.engine); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := client.FaceTemplate(ended, whole, 0); !errors.Is(err, capture.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestDecodeAndConvert(t *testing.T) {
	client, ctx := serve(t)
	source := portrait(t, "face.jpg")
	b := asPNG(t, source)
	p, err := client.DecodeRGB(ctx, b)
	if err != nil || p.Width != 640 || p.Height != 480 || p.Channels != 3 || len(p.Pix) != 640*480*3 {
		t.Fatalf("%dx%dx%d, %d bytes, %v", p.Width, p.Height, p.Channels, len(p.Pix), err)
	}
	r, g, bl, _ := source.At(100, 200).RGBA()
	if got := p.Pix[3*(200*640+100):][:3]; got[0] != byte(r>>8) || got[1] != byte(g>>8) || got[2] != byte(bl>>8) {
		t.Errorf("pixel %v, want %v %v %v", got, r>>8, g>>8, bl>>8)
	}
	large := stdimage.NewGray(stdimage.Rect(0, 0, 6000, 6000)) // 36 MB of pixels: more than a message
	gp, err := client.DecodeGrey(ctx, asPNG(t, large))
	if err != nil || len(gp.Pix) != 36_000_000 {
		t.Errorf("large grey: %d bytes, %v", len(gp.Pix), err)
	}
	out, err := client.Convert(ctx, b, decodev1.ImageFormat_IMAGE_FORMAT_JP2)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := header.Read(out); err != nil || h.Format != header.JP2 || h.Width != 640 {
		t.Errorf("converted to %+v, %v", h, err)
	}
	out, err = client.Convert(ctx, b, decodev1.ImageFormat_IMAGE_FORMAT_WSQ)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := header.Read(out); err != nil || h.Format != header.WSQ || h.Width != 640 {
		t.Errorf("converted to %+v, %v", h, err)
	}
	if _, err := client.Convert(ctx, b, decodev1.ImageFormat_IMAGE_FORMAT_J2K); code(err) != "image.unsupported" {
		t.Errorf("a bare codestream: %v", err)
	}
	if _, err := client.Convert(ctx, b, 0); code(err) != "decode.request" {
		t.Errorf("no format: %v", err)
	}
	if _, err := client.DecodeGrey(ctx, b[:100]); code(err) != "image.truncated" {
		t.Errorf("cut: %v", err)
	}
	if info, err := client.Describe(ctx, 0); err != nil || info.Model == "" || info.Parallel != 2 {
		t.Errorf("describe: %+v, %v", info, err)
	}
}
