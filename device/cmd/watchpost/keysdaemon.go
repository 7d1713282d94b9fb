package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
)

// Limits of a call to the daemon. Unlocking loads the lists.
const (
	daemonLimit  = 2 * time.Minute
	daemonAnswer = 1 << 20 // bytes
)

// errNoDaemon says that no daemon answers at the admin socket.
var errNoDaemon = &fault.Error{Code: "post.not_running", Hint: "start the daemon: watchpostd"}

// callDaemon asks the daemon of a state folder about its keys.
func callDaemon(ctx context.Context, state, method, path string, body []byte) (*keysapi.State, error) {
	ctx, cancel := context.WithTimeout(ctx, daemonLimit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(state, "admin.sock"))
	}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap("post.call", err)
	}
	answer, err := client.Do(r)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNoDaemon
	}
	if err != nil {
		return nil, fault.Wrap("post.call", err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, daemonAnswer))
	if err != nil {
		return nil, fault.Wrap("post.call", err)
	}
	if answer.StatusCode != http.StatusOK {
		var e struct {
			Code      fault.Code `json:"code"`
			Cause     string     `json:"cause"`
			Hint      string     `json:"hint"`
			Retryable bool       `json:"retryable"`
		}
		if json.Unmarshal(raw, &e) != nil || e.Code == "" {
			return nil, fault.New("post.call", "the daemon answers with status %d", answer.StatusCode)
		}
		return nil, &fault.Error{Code: e.Code, Hint: e.Hint, Retryable: e.Retryable, Cause: errors.New(e.Cause)}
	}
	s := new(keysapi.State)
	return s, fault.Wrap("post.call", json.Unmarshal(raw, s))
}

// daemonState is what the daemon says of its keys, nil where none runs.
func daemonState(ctx context.Context, state string) (*keysapi.State, error) {
	s, err := callDaemon(ctx, state, http.MethodGet, keysapi.Path, nil)
	if errors.Is(err, errNoDaemon) {
		return nil, nil
	}
	return s, err
}

// noOpenDaemon fails with post.running where a daemon has the keys open: it
// would write its own view of the vault over a change.
func noOpenDaemon(ctx context.Context, state string) error {
	s, err := daemonState(ctx, state)
	if err == nil && s != nil && !s.Locked {
		return fault.New("post.running", "the daemon has the keys open").
			WithHint("lock them first: watchpost keys lock")
	}
	return err
}

func keysLockCommand(k *keysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Lock the keys of the running daemon",
		Long: `Tells the running daemon to wipe its keys from memory. The post then answers every call
with vault.locked; encounters under way wait sealed and are there after "keys unlock", or
after an officer's sign-in where officers have PINs of their own. Prints what the daemon
says of its keys.`,
		Example: "  watchpost keys lock --state /var/lib/watchpost",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _, err := k.dir()
			if err != nil {
				return err
			}
			s, err := callDaemon(cmd.Context(), dir, http.MethodPost, keysapi.Path+"/lock", nil)
			if err != nil {
				return err
			}
			return printOne(cmd, s)
		},
	}
}

func keysUnlockCommand(k *keysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Unlock the keys of the running daemon",
		Long: `Gives the running daemon what opens its vault: --pin-file (the TPM is the daemon's own),
--passphrase-file, or --lease. The post then goes on where it was. Prints what the daemon
says of its keys.`,
		Example: `  watchpost keys unlock --state /var/lib/watchpost --pin-file -
  watchpost keys unlock --state /var/lib/watchpost --officer anna --pin-file -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, _, err := k.dir()
			if err != nil {
				return err
			}
			given := keysapi.Secrets{Officer: k.by.Officer, Lease: k.by.Lease}
			defer func() { given.Wipe() }()
			if k.by.PINFile != "" {
				given.PIN, err = unlock.PIN(k.by.PINFile, cmd.InOrStdin())
			}
			if err == nil && k.by.PassphraseFile != "" {
				given.Passphrase, err = unlock.Passphrase(k.by.PassphraseFile, cmd.InOrStdin())
			}
			if err != nil {
				return err
			}
			body, err := json.Marshal(given)
			if err != nil {
				return fault.Wrap("post.call", err)
			}
			defer clear(body)
			s, err := callDaemon(cmd.Context(), dir, http.MethodPost, keysapi.Path+"/unlock", body)
			if err != nil {
				return err
			}
			return printOne(cmd, s)
		},
	}
}
