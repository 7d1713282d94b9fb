package pki_test

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

// parts judges which part of a message must fail, by its error; nil must pass.
type parts struct {
	format, digest, signature error
	deviations                []pki.Deviation
}

func TestSignedData(t *testing.T) {
	key, other := pkitest.NewEC(t, "P-256"), pkitest.NewEC(t, "brainpoolP256r1")
	issuer, subject := pkitest.Name("UT", "Utopia", "CSCA"), pkitest.Name("UT", "Utopia", "DS")
	certificate := pkitest.Certificate{Serial: 77, Issuer: issuer, Subject: subject, Key: key, Signer: other}.Issue(t)
	again := pkitest.Certificate{Serial: 78, Issuer: issuer, Subject: subject, Key: key, Signer: other}.Issue(t)
	stranger := pkitest.Certificate{Serial: 5, Issuer: issuer, Subject: subject, Key: other}.Issue(t)
	content := []byte("the content, long enough to be cut in two")
	good := pkitest.SignedData{Content: content, Certificates: [][]byte{certificate}, Key: key, SigningTime: pkitest.From}
	with := func(change func(*pkitest.SignedData)) pkitest.SignedData {
		m := good
		change(&m)
		return m
	}
	without := func(oid []byte) func([][]byte) [][]byte {
		return func(all [][]byte) [][]byte {
			return slices.DeleteFunc(all, func(a []byte) bool { return bytes.Contains(a, oid) })
		}
	}
	md5 := der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 2, 5), pkitest.Null)
	for name, x := range map[string]struct {
		m    pkitest.SignedData
		want parts
	}{
		"good":              {good, parts{}},
		"issuer and serial": {with(func(m *pkitest.SignedData) { m.Issuer, m.Serial = issuer, 77 }), parts{}},
		"stranger beside":   {with(func(m *pkitest.SignedData) { m.Certificates = [][]byte{stranger, certificate} }), parts{}},
		"indefinite lengths": {with(func(m *pkitest.SignedData) { m.Indefinite = true }),
			parts{}},
		"plain ECDSA by its own OID": {with(func(m *pkitest.SignedData) { m.Algorithm.Plain = true }), parts{}},
		"data without attributes":    {with(func(m *pkitest.SignedData) { m.ContentType, m.NoAttributes = pkitest.ContentData, true }), parts{}},
		"other hash for signing": {with(func(m *pkitest.SignedData) { m.Algorithm.Hash = crypto.SHA384 }),
			parts{deviations: []pki.Deviation{pki.DeviationDigestAlgorithm}}},
		"hash of the signature misnamed": {with(func(m *pkitest.SignedData) {
			m.Digest, m.Algorithm.Hash = crypto.SHA384, crypto.SHA384
			m.Algorithm.Raw = der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 10045, 4, 3, 2))
		}), parts{deviations: []pki.Deviation{pki.DeviationDigestAlgorithm, pki.DeviationSignatureHash}}},
		"key named as the algorithm": {with(func(m *pkitest.SignedData) {
			m.Algorithm.Raw = der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 10045, 2, 1))
		}), parts{}},
		"plain value under the DER OID": {with(func(m *pkitest.SignedData) {
			m.Algorithm = pkitest.Algorithm{Plain: true, Raw: der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 10045, 4, 3, 2))}
		}), parts{deviations: []pki.Deviation{pki.DeviationPlainECDSA}}},
		"attributes sent out of order": {with(func(m *pkitest.SignedData) {
			m.Sent = func(all [][]byte) [][]byte { all = slices.Clone(all); slices.Reverse(all); return all }
		}), parts{deviations: []pki.Deviation{pki.DeviationAttributeOrder}}},
		"signer identifier of nobody": {with(func(m *pkitest.SignedData) { m.KeyID = make([]byte, 20) }),
			parts{deviations: []pki.Deviation{pki.DeviationSignerMismatch}}},
		"identifier of another": {with(func(m *pkitest.SignedData) {
			m.KeyID, m.Certificates = other.ID(), [][]byte{stranger, certificate}
		}), parts{deviations: []pki.Deviation{pki.DeviationSignerMismatch}}},

		"two of one key and no identifier": {with(func(m *pkitest.SignedData) {
			m.KeyID, m.Certificates = make([]byte, 20), [][]byte{certificate, again}
		}), parts{signature: pki.ErrNoSigner}},
		"no certificate":    {with(func(m *pkitest.SignedData) { m.Certificates = nil }), parts{signature: pki.ErrNoSigner}},
		"only a stranger":   {with(func(m *pkitest.SignedData) { m.Certificates = [][]byte{stranger} }), parts{signature: pki.ErrNoSigner}},
		"serial of nobody":  {with(func(m *pkitest.SignedData) { m.Issuer, m.Serial, m.Certificates = issuer, 9, [][]byte{stranger} }), parts{signature: pki.ErrNoSigner}},
		"signed by another": {with(func(m *pkitest.SignedData) { m.Key, m.KeyID = other, key.ID() }), parts{signature: pki.ErrSignature}},
		"changed signature": {with(func(m *pkitest.SignedData) { m.Signature = func(s []byte) []byte { s[len(s)-1] ^= 1; return s } }), parts{signature: pki.ErrSignature}},
		"empty signature":   {with(func(m *pkitest.SignedData) { m.Signature = func([]byte) []byte { return nil } }), parts{signature: pki.ErrSignature}},
		"digest of something": {with(func(m *pkitest.SignedData) {
			m.Attributes = func(all [][]byte) [][]byte {
				return append(without(pkitest.AttributeMessageDigest)(all), pkitest.Attribute(pkitest.AttributeMessageDigest, der.Marshal(der.OctetString, make([]byte, 32))))
			}
		}), parts{digest: pki.ErrDigest}},
		"digest missing":        {with(func(m *pkitest.SignedData) { m.Attributes = without(pkitest.AttributeMessageDigest) }), parts{format: pki.ErrAttributes, digest: pki.ErrDigest}},
		"content type missing":  {with(func(m *pkitest.SignedData) { m.Attributes = without(pkitest.AttributeContentType) }), parts{format: pki.ErrAttributes}},
		"content type of other": {with(func(m *pkitest.SignedData) { m.AttributeType = pkitest.ContentMasterList }), parts{format: pki.ErrAttributes}},
		"digest twice": {with(func(m *pkitest.SignedData) {
			m.Attributes = func(all [][]byte) [][]byte {
				return append(all, pkitest.Attribute(pkitest.AttributeMessageDigest, der.Marshal(der.OctetString, make([]byte, 32))))
			}
		}), parts{format: pki.ErrAttributes, digest: pki.ErrDigest}},
		"two values in one": {with(func(m *pkitest.SignedData) {
			m.Attributes = func(all [][]byte) [][]byte {
				return append(without(pkitest.AttributeContentType)(all), pkitest.Attribute(pkitest.AttributeContentType, pkitest.ContentSecurity, pkitest.ContentData))
			}
		}), parts{format: pki.ErrAttributes, digest: pki.ErrDigest}},
		"attribute added after signing": {with(func(m *pkitest.SignedData) {
			m.Sent = func(all [][]byte) [][]byte {
				return append(slices.Clone(all), pkitest.Attribute(pkitest.OID(2, 9, 9), pkitest.Null))
			}
		}), parts{signature: pki.ErrSignature, deviations: []pki.Deviation{pki.DeviationAttributeOrder}}},
		"security object without attributes": {with(func(m *pkitest.SignedData) { m.NoAttributes = true }), parts{format: pki.ErrAttributes}},
		"MD5 digest":                         {with(func(m *pkitest.SignedData) { m.DigestID = md5 }), parts{digest: pki.ErrForbiddenHash}},
		"MD5 signature": {with(func(m *pkitest.SignedData) {
			m.Algorithm.Raw = der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 1, 4), pkitest.Null)
		}), parts{signature: pki.ErrForbiddenHash}},
	} {
		s, err := pki.ParseSignedData(x.m.Sign(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(s.EContent, content) || slices.Contains(s.Deviations, pki.DeviationIndefinite) != x.m.Indefinite {
			t.Errorf("%s: content or deviations %v", name, s.Deviations)
		}
		r := s.VerifySigner(0)
		for part, e := range map[string][2]error{"format": {r.Format, x.want.format}, "digest": {r.Digest, x.want.digest}, "signature": {r.Signature, x.want.signature}} {
			if (e[1] == nil && e[0] != nil) || !errors.Is(e[0], e[1]) {
				t.Errorf("%s: %s: %v, want %v", name, part, e[0], e[1])
			}
		}
		if !slices.Equal(r.Deviations, x.want.deviations) {
			t.Errorf("%s: deviations %v, want %v", name, r.Deviations, x.want.deviations)
		}
		if good := x.want.format == nil && x.want.digest == nil && x.want.signature == nil; r.OK() != good {
			t.Errorf("%s: OK is %v", name, r.OK())
		}
		if r.OK() && r.Certificate.Serial.Int64() != 77 {
			t.Errorf("%s: certificate %s", name, r.Certificate.Serial)
		}
	}
}

func TestChangedContentFailsDigest(t *testing.T) {
	key := pkitest.NewEC(t, "P-384")
	ds := pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: key}.Issue(t)
	raw := pkitest.SignedData{Content: []byte("content"), Certificates: [][]byte{ds}, Key: key, Digest: crypto.SHA1}.Sign(t)
	s, err := pki.ParseSignedData(bytes.Replace(raw, []byte("content"), []byte("CONTENT"), 1))
	if err != nil {
		t.Fatal(err)
	}
	r := s.VerifySigner(0)
	if !errors.Is(r.Digest, pki.ErrDigest) || r.Signature != nil || r.OK() {
		t.Errorf("%+v", r)
	}
	if !r.WeakHash || r.DigestHash != crypto.SHA1 {
		t.Error("SHA-1 is not said to be weak")
	}
	if r := s.VerifySigner(1); r.OK() || !errors.Is(r.Signature, pki.ErrNoSigner) {
		t.Errorf("signer out of range: %+v", r)
	}
	if (pki.SignerResult{}).OK() {
		t.Error("the zero result passes")
	}
}

func TestExtraCertificateAndTrailingBytes(t *testing.T) {
	key := pkitest.NewEC(t, "P-256")
	ds := parse(t, pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: key, NoKeyIDs: true}.Issue(t))
	raw := pkitest.SignedData{Content: []byte("content"), Key: key, SigningTime: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}.Sign(t)
	s, err := pki.ParseSignedData(append(raw, 0, 0, 0))
	if err != nil || !slices.Contains(s.Deviations, pki.DeviationTrailing) {
		t.Fatalf("%v, %+v", err, s)
	}
	// The certificate has no key identifier: it is found by the hash of its key.
	r := s.VerifySigner(0, nil, ds)
	if !r.OK() || r.Certificate != ds || r.SigningTime.Month() != time.February {
		t.Errorf("%+v", r)
	}
}

func TestMalformedMessages(t *testing.T) {
	key := pkitest.NewEC(t, "P-256")
	ds := pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: key}.Issue(t)
	m := pkitest.SignedData{Content: []byte("content"), Certificates: [][]byte{ds}, Key: key}
	raw := m.Sign(t)
	for n := range raw {
		if _, err := pki.ParseSignedData(raw[:n]); !errors.Is(err, pki.ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
	m.Indefinite = true
	raw = m.Sign(t)
	for n := range raw {
		if _, err := pki.ParseSignedData(raw[:n]); !errors.Is(err, pki.ErrMalformed) {
			t.Fatalf("indefinite, %d of %d bytes: %v", n, len(raw), err)
		}
	}
	enveloped := der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 7, 3), der.Marshal(der.ContextConstructed(0), pkitest.Null))
	if _, err := pki.ParseSignedData(enveloped); !errors.Is(err, pki.ErrContentType) {
		t.Errorf("enveloped data: %v", err)
	}
	bomb := bytes.Repeat([]byte{0x30, 0x80}, 1<<20)
	if _, err := pki.ParseSignedData(bomb); !errors.Is(err, pki.ErrMalformed) {
		t.Errorf("depth bomb: %v", err)
	}
}
