package feeds

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/post/feedapi"
	"github.com/watchpost/watchpost/device/web"
)

// maxCall bounds what a command says, in bytes.
const maxCall = 16 << 10

// Handler answers the commands of feedapi. It stands behind the admin socket
// alone; f may be nil.
func (f *Feed) Handler() http.Handler {
	if f == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			web.AnswerError(w, fault.New("feed.none", "this post takes nothing from a feed").WithHint("name one in its configuration, under feed:"))
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+feedapi.Path, func(w http.ResponseWriter, _ *http.Request) {
		pin, err := f.Pin()
		if err != nil {
			web.AnswerError(w, err)
			return
		}
		answer(w, feedapi.StateOf(f.Status(), string(pin)))
	})
	mux.HandleFunc("POST "+feedapi.Path+"/refresh", func(w http.ResponseWriter, r *http.Request) {
		res, err := f.RefreshAll(r.Context())
		answerResult(w, res, err)
	})
	mux.HandleFunc("POST "+feedapi.Path+"/apply", func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
		var in feedapi.Folder
		if err != nil || json.Unmarshal(raw, &in) != nil || !filepath.IsAbs(in.Dir) {
			web.AnswerError(w, fault.New("request.invalid", "not an absolute folder"))
			return
		}
		res, err := f.RefreshFolder(r.Context(), in.Dir)
		answerResult(w, res, err)
	})
	return mux
}

// answerResult tells of each target; an error of the metadata is the answer
// where nothing was judged.
func answerResult(w http.ResponseWriter, r listfeed.Result, err error) {
	if err != nil && len(r.Changed)+len(r.Refused) == 0 {
		web.AnswerError(w, err)
		return
	}
	answer(w, feedapi.ResultOf(r))
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // whoever asked has gone
}
