package admin

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// notBuilt is served where the page was left out of the program.
const notBuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Watchpost central</title></head>
<body><h1>The page is not in this program</h1>
<p>It was built with a bare <code>go build</code>. Run <code>make build</code> in the repository, then start central again.
The calls under <code>/v1</code> and the commands of <code>watchpost-central</code> work without it.</p></body></html>
`

// NewPage returns a handler of the built page in files; without an index.html
// it says how to build one. There are no listings of folders.
func NewPage(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		info, err := fs.Stat(files, name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == "index.html":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(notBuilt)) // the client may have gone
			return
		case err != nil || info.IsDir() || strings.HasPrefix(info.Name(), "."):
			refuse(w, errNowhere)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, "assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // Vite names them by their content
		}
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			refuse(w, fault.Wrap("page.read", err))
			return
		}
		w.Header().Set("Content-Type", kindOf(name))
		_, _ = w.Write(raw)
	})
}

// kinds are the media types of the page's files: a machine's own table may
// lack or change them.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json",
}

func kindOf(name string) string {
	if kind := kinds[name[max(0, strings.LastIndex(name, ".")):]]; kind != "" {
		return kind
	}
	return "application/octet-stream"
}
