package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/fault"
)

// Limits of speaking to a daemon.
const (
	socketLimit   = 30 * time.Second
	maxSocketBody = 64 << 20
)

// running is the audit log of a running post, through its admin socket. It is
// for one goroutine.
type running struct {
	ctx   context.Context
	http  *http.Client
	token string
}

// signInToPost signs an officer in at the post's admin socket.
func signInToPost(cmd *cobra.Command, a *auditFlags) (*running, error) {
	if a.passwordFile == "" {
		return nil, fault.New("usage", "--officer needs --password-file")
	}
	password, err := unlock.Password(a.passwordFile, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	defer clear(password)
	socket := a.socket
	if socket == "" {
		socket = filepath.Join(a.dir(), "admin.sock")
	}
	r := &running{ctx: cmd.Context(), http: &http.Client{Timeout: socketLimit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	var in struct {
		Token string `json:"token"`
	}
	err = r.call(http.MethodPost, "/v1/session", map[string]string{"id": a.officer, "password": string(password)}, &in)
	r.token = in.Token
	return r, err
}

func (r *running) signOut() { _ = r.call(http.MethodDelete, "/v1/session", nil, nil) } // the session ends by itself too

// call makes one call; what the daemon refuses keeps its code.
func (r *running) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fault.Wrap("post.call", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(r.ctx, method, "http://post"+path, body)
	if err != nil {
		return fault.Wrap("post.call", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return fault.New("post.not_running", "%w", err).WithHint("no daemon answers at the admin socket: start it, or leave --officer out")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxSocketBody))
	if err != nil {
		return fault.Wrap("post.call", err)
	}
	if res.StatusCode/100 != 2 {
		var e struct{ Code, Hint string }
		if json.Unmarshal(raw, &e) != nil || e.Code == "" {
			return fault.New("post.call", "the daemon answers %d", res.StatusCode)
		}
		return fault.New(fault.Code(e.Code), "the post refuses").WithHint(e.Hint)
	}
	if out == nil {
		return nil
	}
	return fault.Wrap("post.call", json.Unmarshal(raw, out))
}

// AuditLines implements auditLog. The lines come as they were written: a raw
// message keeps its bytes.
func (r *running) AuditLines(from int64, limit int) ([][]byte, error) {
	var out struct{ Lines []json.RawMessage }
	if err := r.call(http.MethodGet, fmt.Sprintf("/v1/audit?from=%d&limit=%d", from, limit), nil, &out); err != nil {
		return nil, err
	}
	lines := make([][]byte, len(out.Lines))
	for i, l := range out.Lines {
		lines[i] = l
	}
	return lines, nil
}

// Heads implements auditLog.
func (r *running) Heads(from int64, limit int) ([][]byte, error) {
	var out struct{ Heads []string }
	if err := r.call(http.MethodGet, fmt.Sprintf("/v1/audit/heads?from=%d&limit=%d", from, limit), nil, &out); err != nil {
		return nil, err
	}
	heads := make([][]byte, len(out.Heads))
	for i, h := range out.Heads {
		heads[i] = []byte(h)
	}
	return heads, nil
}

// CheckAudit implements auditLog on a copy of all lines.
func (r *running) CheckAudit(rules audit.Rules, sources ...audit.Evidence) (audit.Head, []audit.Finding, error) {
	lines, err := allOf(r.AuditLines)
	if err != nil {
		return audit.Head{}, nil, err
	}
	return audit.Check(&copied{lines: lines}, rules, sources...)
}
