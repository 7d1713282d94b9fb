package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/clock"
	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/post/dbkey"
	"github.com/watchpost/watchpost/device/post/feedapi"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// applyFeed has a post take a feed's folder: through the daemon where one
// answers, else into its files.
func applyFeed(cmd *cobra.Command, flags *postFlags, feed string) error {
	conf, err := config.Read(flags.config)
	if err != nil {
		return err
	}
	if conf.Feed == nil {
		return fault.New("config.feed", "the post takes nothing from a feed").WithHint("name its root in the configuration, under feed:")
	}
	dir, err := filepath.Abs(feed)
	if err != nil {
		return fault.Wrap("input.read", err)
	}
	var r feedapi.Result
	if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(cmd.Context(), "unix", conf.AdminSocket()); err == nil {
		_ = c.Close() // it only shows that somebody answers
		err = daemonAt(cmd.Context(), conf.AdminSocket()).call(http.MethodPost, feedapi.Path+"/apply", feedapi.Folder{Dir: dir}, &r)
		if err != nil {
			return err
		}
	} else if r, err = applyOffline(cmd, flags, dir); err != nil {
		return err
	}
	out := newRows(cmd)
	for _, row := range r.Rows {
		if row.Error != nil && row.Error.Code != listfeed.ErrWrongDevice.Code { // what is for other devices is no failure
			out.Failed()
		}
		if err := out.JSON(row); err != nil {
			return err
		}
	}
	return out.End()
}

// applyLimit bounds taking a feed through the daemon: a generation of a stick.
const applyLimit = time.Hour

// daemonAt speaks to a daemon as whoever may open its socket, without an
// officer: what it is given proves itself.
func daemonAt(ctx context.Context, socket string) *running {
	return &running{ctx: ctx, http: &http.Client{Timeout: applyLimit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// applyOffline takes a feed's folder into the files of a post that does not
// run.
func applyOffline(cmd *cobra.Command, flags *postFlags, dir string) (r feedapi.Result, err error) {
	post, err := flags.open(cmd)
	if err != nil {
		return r, err
	}
	defer post.vault.Lock()
	key, err := dbkey.Open(post.config.StateDir(), post.vault)
	if err != nil {
		return r, err
	}
	defer key.Destroy()
	sealer := dbkey.Sealer{Key: key}
	db, err := store.Open(post.config.StateDir(), sealer)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	watch := clock.New(time.Now)
	if err := feeds.RaiseClock(watch, db); err != nil {
		return r, err
	}
	counter, err := listCounter(post, flags.by)
	if err != nil {
		return r, err
	}
	f, err := feeds.Open(cmd.Context(), feeds.Options{
		Config: post.config, State: post.config.StateDir(), Store: db, Sealer: sealer, Keys: post.vault, Counter: counter, Now: watch.Now, Raise: watch.Raise,
		Base: func() (string, error) {
			applied, err := provision.Current(post.provisionDir(), post.trust)
			if err != nil {
				return "", err
			}
			return applied.Path("trust"), nil
		},
		Edition: func() (int, error) { return feeds.Edition(db) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return r, err
	}
	got, err := f.RefreshFolder(cmd.Context(), dir)
	return feedapi.ResultOf(got), err
}

// listCounter is the chip's count of lists, nil where the vault has none.
func listCounter(post *postFiles, by unlock.Flags) (listfeed.Counter, error) {
	params := erase.ChipOf(post.vault)
	if params == nil {
		return nil, nil
	}
	c, ok, err := (tpm.Unlocker{Device: by.TPM}).ListCounter(params)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
}
