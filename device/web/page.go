package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// notBuilt is served where the page was left out of the program.
const notBuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Watchpost</title></head>
<body><h1>The page is not in this program</h1>
<p>It was built with a bare <code>go build</code>. Run <code>make build</code> in the repository, then start the daemon again.
The API under <code>/v1</code> works without it.</p></body></html>
`

// file is one file of the page, ready to be sent.
type file struct {
	kind   string // media type
	plain  []byte
	packed []byte // gzip, nil where it would not be smaller
	tag    string // entity tag, quoted
	cache  string
}

// page serves the files of the built page from memory. It never changes and is
// safe for concurrent use.
type page map[string]*file

// NewPage returns a handler of the page in files; without an index.html it
// says how to build one.
func NewPage(files fs.FS) (http.Handler, error) {
	p := make(page)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		if err == nil {
			p["/"+name], err = newFile(name, raw)
		}
		return err
	})
	if err != nil {
		return nil, fault.Wrap("web.page", err)
	}
	if p["/index.html"] == nil {
		if p["/index.html"], err = newFile("index.html", []byte(notBuilt)); err != nil {
			return nil, fault.Wrap("web.page", err)
		}
	}
	p["/"] = p["/index.html"]
	return p, nil
}

func newFile(name string, raw []byte) (*file, error) {
	sum := sha256.Sum256(raw)
	f := &file{
		kind: mime.TypeByExtension(path.Ext(name)), plain: raw,
		tag:   `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		cache: "no-cache", // asked again each time, answered 304
	}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable" // Vite names them by their content
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if packed.Len() < len(raw) {
		f.packed = packed.Bytes()
	}
	return f, nil
}

// ServeHTTP implements http.Handler.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p[r.URL.Path]
	if f == nil {
		answer(w, coded(fault.New("request.not_found", "there is no such path")))
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	if r.Method == http.MethodHead {
		return
	}
	// The client may have gone, which is nobody's fault.
	_, _ = w.Write(body)
}
