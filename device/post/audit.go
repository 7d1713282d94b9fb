package post

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/uplink/courier"
	"github.com/watchpost/watchpost/device/uplink/witness"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/web"
)

// The audit key's wrapped form below the state, and its name.
const (
	auditKeyFile = "audit.key"
	auditKeyName = "audit"
)

// Names of witnesses.
const (
	witnessCentral = "central"
	witnessService = "witness"
	witnessMedium  = "medium"
)

// stopLimit bounds what a stopping post waits for its witnesses. A head that
// they do not get now they get after the next start; until then it is missed.
const stopLimit = 500 * time.Millisecond

// heads are the signed heads of a running post.
type heads struct {
	couriers []*courier.Courier
	late     time.Duration
}

// openAudit begins to sign heads of the audit log and to show them to
// witnesses. What it registers to close comes after the encounters have ended
// and before the link does.
func (p *Post) openAudit(state string, keys *vault.Vault) error {
	signed := p.config.Signed()
	key, err := p.auditKey(state, keys)
	if err != nil {
		return err
	}
	p.closing(func() error { key.Destroy(); return nil })
	signer, err := auditSigner(p.config.Post, key)
	if err != nil {
		return err
	}
	text := checkpoint.Key(signer.Origin, signer.Public)
	if err := fault.Wrap("post.state", durable.Replace(filepath.Join(state, checkpoint.PublicFile), []byte(text+"\n"))); err != nil {
		return err
	}
	p.store.SignHeads(&audit.Signing{Signer: signer, EveryLines: signed.Lines}, p.now, p.headFailed)
	if err := p.store.SignHead(checkpoint.Start); err != nil {
		return err
	}
	p.heads.late = signed.Late.Of()
	own, err := checkpoint.ParseKey(text)
	if err != nil {
		return err
	}
	if p.link != nil {
		p.witness(witnessCentral, uplink.Heads{Link: p.link, Key: text})
	}
	if signed.Medium != "" {
		p.witness(witnessMedium, courier.Medium{Dir: signed.Medium, Origin: signer.Origin, Key: own})
	}
	if signed.Witness != nil {
		client, err := serviceOf(signed.Witness)
		if err != nil {
			return err
		}
		p.witness(witnessService, client)
	}
	p.closing(p.lastHead)
	for _, c := range p.heads.couriers {
		p.background(c.Run)
	}
	p.background(func(ctx context.Context) { p.signEvery(ctx, signed.Every.Of()) })
	return nil
}

// cutAudit cuts lines of the audit log that policy keeps no longer, as far as
// every witness has a head over them.
func (p *Post) cutAudit() error {
	keep := p.applied.policy.Retention.Audit.Of()
	if keep <= 0 {
		return nil
	}
	head, held, err := p.store.LastHead()
	if err != nil || !held {
		return err
	}
	covered := head.Lines
	for _, c := range p.heads.couriers {
		m, err := p.store.Mark(c.Status().Witness)
		if err != nil {
			return err
		}
		covered = min(covered, m.Lines)
	}
	now := p.now()
	_, err = p.store.CutAudit(now, now.Add(-keep), covered)
	return err
}

func (p *Post) witness(name string, w courier.Witness) {
	p.heads.couriers = append(p.heads.couriers, courier.New(courier.Options{
		Name: name, Witness: w, Log: p.store, Late: p.heads.late, Now: p.now, Changed: p.witnessChanged, Lost: p.witnessLost, Logger: p.log,
	}))
}

// serviceOf is a client of a witness service.
func serviceOf(w *config.Witness) (*witness.Client, error) {
	key, err := checkpoint.ParseWitnessKey(w.Key)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}}
	if w.CA != "" {
		raw, err := os.ReadFile(w.CA)
		if err != nil {
			return nil, fault.New("config.audit", "audit.witness.ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(raw) {
			return nil, fault.New("config.audit", "audit.witness.ca holds no certificate in PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return witness.NewClient(w.URL, key, transport), nil
}

// auditKey opens the key that signs heads, making it at the first start. A log
// that was signed before is not signed by another key without a word.
func (p *Post) auditKey(state string, keys *vault.Vault) (*vault.Key, error) {
	path := filepath.Join(state, auditKeyFile)
	_, signedBefore, err := p.store.LastHead()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); signedBefore && errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("audit.key_missing", "the audit log was signed before, and its key is not there").
			WithHint("put audit.key back from the backup; witnesses take no other key")
	}
	key, made, err := openAuditKey(state, keys)
	if err != nil || !made {
		return key, err
	}
	if err := p.Witnessed(audit.Line{Time: p.now(), Actor: "post", Action: audit.KeyMade, Object: auditKeyName}); err != nil {
		key.Destroy()
		return nil, err
	}
	return key, nil
}

// openAuditKey opens the key that signs heads of a post's audit log, making it
// at the first call. On disk lies only its wrapped form. The caller destroys it.
func openAuditKey(state string, keys *vault.Vault) (key *vault.Key, made bool, err error) {
	path := filepath.Join(state, auditKeyFile)
	wrapped, err := os.ReadFile(path)
	if err == nil {
		key, err = keys.OpenKey(wrapped, vault.ScopeStore, auditKeyName)
		return key, false, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fault.Wrap("post.state", err)
	}
	key, wrapped, err = keys.NewKey(vault.ScopeStore, auditKeyName)
	if err != nil {
		return nil, false, err
	}
	if err := fault.Wrap("post.state", durable.Replace(path, wrapped)); err != nil {
		key.Destroy()
		return nil, false, err
	}
	return key, true, nil
}

// auditSigner returns what signs heads of the post's log by a key of
// openAuditKey. The Ed25519 key is derived anew for each signature, so that it
// is not longer in the open than that.
func auditSigner(post string, key *vault.Key) (*checkpoint.Signer, error) {
	seed := func() ([]byte, error) {
		sum, err := key.MAC([]byte("watchpost/audit-head/1"))
		return sum[:], err
	}
	first, err := seed()
	if err != nil {
		return nil, err
	}
	defer clear(first)
	private := ed25519.NewKeyFromSeed(first)
	defer clear(private)
	public := append(ed25519.PublicKey(nil), private.Public().(ed25519.PublicKey)...)
	return &checkpoint.Signer{Origin: checkpoint.Origin(post), Public: public, Seed: seed}, nil
}

var _ note.Signer = (*checkpoint.Signer)(nil)

// signEvery signs a head every so often, whether or not something was done:
// silence that is signed for is not the silence of a log that is held back.
func (p *Post) signEvery(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.store.SignHead(checkpoint.Interval); err != nil {
				p.headFailed(err)
			}
		}
	}
}

// lastHead signs for the whole run once nothing more is written, and gives
// witnesses a moment to take it.
func (p *Post) lastHead() error {
	err := p.store.SignHead(checkpoint.Stop, audit.Line{Time: p.now(), Actor: "post", Action: audit.PostStopped})
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var shown sync.WaitGroup
	for _, c := range p.heads.couriers {
		shown.Go(func() { c.Once(ctx) })
	}
	shown.Wait()
	return err
}

func (p *Post) headFailed(err error) {
	p.log.Error("head of the audit log not signed", "code", string(fault.CodeOf(err)))
}

// witnessChanged tells whoever follows the post, and the log itself where
// something is wrong.
func (p *Post) witnessChanged(s courier.Status) {
	err := p.events.Add(p.now(), "", encounter.EventDevice, encounter.DeviceData{ID: "audit." + s.Witness, Kind: "witness", State: deviceWord(s.State)})
	if err != nil {
		p.log.Error("event of a witness", "cause", err)
	}
	action := audit.HeadLate
	switch s.State {
	case courier.Refused:
		action = audit.HeadRefused
	case courier.Late:
	default:
		return
	}
	err = p.Witnessed(audit.Line{Time: p.now(), Actor: "post", Action: action, Object: s.Witness, Facts: map[string]string{"code": string(s.Code)}})
	if err != nil {
		p.log.Error("audit line of a witness", "code", string(fault.CodeOf(err)))
	}
}

// witnessLost writes down that a witness holds less than it took.
func (p *Post) witnessLost(err error) {
	p.log.Error("witness of the audit log", "code", string(fault.CodeOf(err)), "cause", err)
	err = p.Witnessed(audit.Line{Time: p.now(), Actor: "post", Action: audit.WitnessLost, Facts: map[string]string{"code": string(fault.CodeOf(err))}})
	if err != nil {
		p.log.Error("audit line of a witness", "code", string(fault.CodeOf(err)))
	}
}

// lostWitnesses stand among the devices, where the page shows what is wrong.
func lostWitnesses(a web.AuditState) []web.DeviceInfo {
	var lost []web.DeviceInfo
	for _, w := range a.Witnesses {
		if state := deviceWord(courier.State(w.State)); state == "lost" {
			lost = append(lost, web.DeviceInfo{ID: "audit." + w.Witness, Kind: "other", Name: "audit log: " + w.Witness, State: state})
		}
	}
	return lost
}

// deviceWord is a witness's state in the words of devices.
func deviceWord(s courier.State) string {
	switch s {
	case courier.OK:
		return "ready"
	case courier.Late, courier.Refused:
		return "lost"
	}
	return "unknown"
}

// AuditHeads implements web.Backend.
func (p *Post) AuditHeads(from int64, limit int) ([][]byte, error) {
	return p.store.Heads(from, limit)
}

// auditState is what the page shows of the log's heads.
func (p *Post) auditState() (web.AuditState, error) {
	out := web.AuditState{Witnesses: []web.WitnessState{}}
	last, held, err := p.store.LastHead()
	if err != nil {
		return out, err
	}
	if held {
		out.SignedLines, out.SignedAt = last.Lines, last.Time
	}
	if !held || p.now().Sub(last.Time) > p.heads.late {
		out.Code = courier.CodeLate
	}
	for _, c := range p.heads.couriers {
		s := c.Status()
		out.Witnesses = append(out.Witnesses, web.WitnessState{
			Witness: s.Witness, State: string(s.State), Code: s.Code, Heads: s.Heads, Lines: s.Lines, WaitingSince: s.Since,
		})
		if out.Code == "" && s.Code != "" {
			out.Code = s.Code
		}
	}
	return out, nil
}
