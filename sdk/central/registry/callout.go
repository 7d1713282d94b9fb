package registry

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
)

// calloutSubject is where a cluster asks who may connect
// (docs.nats.io, Auth Callout).
const calloutSubject = "$SYS.REQ.USER.AUTH"

// CalloutLife is how long a connection that was let in stands before the
// cluster asks again: a post that is retired is out by then, and refused at each
// of its calls before.
const CalloutLife = time.Hour

// ServeCallout answers a cluster that asks who may connect, by the same register
// and with the same rights as the embedded broker, until stop is called. nc is a
// connection of the cluster's auth account, account the key that the cluster
// names as issuer; target is the account that posts live in ("" is "$G").
// Several centrals share the work.
func (r *Registry) ServeCallout(nc *nats.Conn, account nkeys.KeyPair, target string) (stop func() error, err error) {
	if target == "" {
		target = "$G"
	}
	sub, err := nc.QueueSubscribe(calloutSubject, "central", func(m *nats.Msg) {
		go func() { // each looks into the register
			out, err := r.decide(m.Data, account, target)
			if err == nil {
				err = m.Respond([]byte(out))
			}
			if err != nil {
				r.Log.Warn("connection not judged", "code", string(fault.CodeOf(err)))
			}
		}()
	})
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	return sub.Unsubscribe, nil
}

// decide answers one request. What cannot be read gets no answer: the server
// lets nobody in without one.
func (r *Registry) decide(raw []byte, account nkeys.KeyPair, target string) (string, error) {
	q, err := jwt.DecodeAuthorizationRequestClaims(string(raw))
	if err != nil {
		return "", fault.New("link.callout", "a request that a cluster has not made")
	}
	out := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	out.Audience = q.Server.ID
	rights, err := r.Admit(context.Background(), q.ConnectOptions.Nkey, q.ConnectOptions.SignedNonce, []byte(q.ClientInformation.Nonce))
	if err != nil {
		r.Log.Warn("connection refused", "remote", q.ClientInformation.Host, "code", string(fault.CodeOf(err)))
		out.Error = string(fault.CodeOf(err))
	} else if out.Jwt, err = userOf(q.UserNkey, rights, account, target); err != nil {
		return "", err
	}
	text, err := out.Encode(account)
	return text, fault.Wrap("link.callout", err)
}

func userOf(key string, rights Rights, account nkeys.KeyPair, target string) (string, error) {
	u := jwt.NewUserClaims(key)
	u.Name, u.Audience = rights.Name, target
	u.Expires = time.Now().Add(CalloutLife).Unix()
	if !rights.Central {
		u.Pub.Allow.Add(rights.Publish...)
		u.Sub.Allow.Add(rights.Subscribe...)
		if rights.Replies {
			u.Resp = &jwt.ResponsePermission{MaxMsgs: maxReplies, Expires: replyWithin}
		}
	}
	text, err := u.Encode(account)
	return text, fault.Wrap("link.callout", err)
}

// CalloutConfig is the part of a cluster's configuration that has it ask
// central: issuer is central's account key, user its key at the cluster.
func CalloutConfig(issuer, user string) string {
	quoted := func(s string) string { q, _ := json.Marshal(s); return string(q) } // a string always encodes
	return strings.Join([]string{
		"accounts { AUTH { users: [ { nkey: " + quoted(user) + " } ] }, POSTS {} }",
		"authorization { auth_callout { issuer: " + quoted(issuer) + ", account: AUTH, auth_users: [ " + quoted(user) + " ] } }", "",
	}, "\n")
}
