package passport

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// terminal is a reader of a few lines, for chips that behave. Its messaging is
// written from the terminal's side and shares the ciphers only, which the
// standard's worked examples check.
type terminal struct {
	t    *testing.T
	chip *Chip

	suite          suite
	encKey, macKey []byte
	ssc            *big.Int
}

func (r *terminal) raw(command []byte) []byte {
	r.t.Helper()
	answer, err := r.chip.Transmit(command)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

// plain sends a short command and wants 9000.
func (r *terminal) plain(cla, ins, p1, p2 byte, data []byte, le int) []byte {
	r.t.Helper()
	command := []byte{cla, ins, p1, p2}
	if len(data) > 0 {
		command = append(append(command, byte(len(data))), data...)
	}
	if le > 0 {
		command = append(command, byte(le))
	}
	answer := r.raw(command)
	if len(answer) < 2 || !bytes.Equal(answer[len(answer)-2:], []byte{0x90, 0}) {
		r.t.Fatalf("%02X %02X%02X: answer %X", ins, p1, p2, answer)
	}
	return answer[:len(answer)-2]
}

func (r *terminal) start(s suite, secret []byte) {
	r.suite, r.encKey, r.macKey, r.ssc = s, s.derive(secret, kdfEncrypt), s.derive(secret, kdfMAC), new(big.Int)
}

func (r *terminal) counter() []byte {
	r.ssc.Add(r.ssc, big.NewInt(1))
	return r.ssc.FillBytes(make([]byte, r.suite.blockSize()))
}

func (r *terminal) iv(counter []byte) []byte {
	if r.suite == suite3DES {
		return make([]byte, 8)
	}
	iv := make([]byte, 16)
	r.suite.cipher(r.encKey).Encrypt(iv, counter)
	return iv
}

// protected sends a command under secure messaging, extended where le is over
// 256, and returns what the status object says.
func (r *terminal) protected(ins, p1, p2 byte, data []byte, le int) ([]byte, int) {
	r.t.Helper()
	block := r.suite.blockSize()
	ssc := r.counter()
	var objectsOut []byte
	if len(data) > 0 {
		sealed := cbcEncrypt(r.suite.cipher(r.encKey), r.iv(ssc), pad(data, block))
		if ins&1 == 0 {
			objectsOut = der.TLV(0x87, []byte{1}, sealed)
		} else {
			objectsOut = der.TLV(0x85, sealed)
		}
	}
	switch {
	case le > 256:
		objectsOut = append(objectsOut, der.TLV(0x97, []byte{byte(le >> 8), byte(le)})...)
	case le > 0:
		objectsOut = append(objectsOut, der.TLV(0x97, []byte{byte(le)})...)
	}
	header := []byte{0x0C, ins, p1, p2}
	input := append(append(bytes.Clone(ssc), pad(header, block)...), objectsOut...)
	body := append(objectsOut, der.TLV(0x8E, r.suite.mac(r.macKey, pad(input, block)))...)
	command := append(header, 0)
	command = binary.BigEndian.AppendUint16(command, uint16(len(body)))
	return r.open(r.raw(append(append(command, body...), 0, 0)), ins)
}

func (r *terminal) open(answer []byte, ins byte) ([]byte, int) {
	r.t.Helper()
	ssc := r.counter()
	if len(answer) < 2 {
		r.t.Fatalf("answer %X", answer)
	}
	parts, ok := objects(answer[:len(answer)-2])
	if !ok || len(parts) < 2 {
		r.t.Fatalf("unprotected answer %X", answer)
	}
	mac := parts[len(parts)-1]
	covered := answer[:len(answer)-2-len(mac.raw)]
	if want := r.suite.mac(r.macKey, pad(append(bytes.Clone(ssc), covered...), r.suite.blockSize())); mac.tag != 0x8E || !bytes.Equal(mac.value, want) {
		r.t.Fatalf("checksum %X, want %X", mac.value, want)
	}
	status := parts[len(parts)-2]
	if status.tag != 0x99 || !bytes.Equal(status.value, answer[len(answer)-2:]) {
		r.t.Fatalf("status object %X of answer %X", status.raw, answer)
	}
	sw := int(binary.BigEndian.Uint16(status.value))
	if len(parts) == 2 {
		return nil, sw
	}
	value := parts[0].value
	if ins&1 == 0 {
		value = value[1:]
	}
	data, ok := unpad(cbcDecrypt(r.suite.cipher(r.encKey), r.iv(ssc), value))
	if !ok {
		r.t.Fatalf("padding of %X", parts[0].raw)
	}
	return data, sw
}

// must is protected for a command that has to succeed.
func (r *terminal) must(ins, p1, p2 byte, data []byte, le int) []byte {
	r.t.Helper()
	out, sw := r.protected(ins, p1, p2, data, le)
	if sw != swOK {
		r.t.Fatalf("%02X %02X%02X: status %04X", ins, p1, p2, sw)
	}
	return out
}

func (r *terminal) bac() {
	r.t.Helper()
	r.plain(0, 0xA4, 4, 0x0C, aid, 0)
	challenge := r.plain(0, 0x84, 0, 0, nil, 8)
	seed := sha1.Sum([]byte(r.chip.doc.Secret.AccessInfo))
	encKey, macKey := suite3DES.derive(seed[:16], kdfEncrypt), suite3DES.derive(seed[:16], kdfMAC)
	mine := make([]byte, 24) // RND.IFD and K.IFD
	rand.Read(mine)
	sealed := cbcEncrypt(suite3DES.cipher(encKey), make([]byte, 8), bytes.Join([][]byte{mine[:8], challenge, mine[8:]}, nil))
	answer := r.plain(0, 0x82, 0, 0, append(sealed, retailMAC(macKey, pad(sealed, 8))...), 40)
	theirs := cbcDecrypt(suite3DES.cipher(encKey), make([]byte, 8), answer[:32])
	secret := make([]byte, 16)
	for i := range secret {
		secret[i] = mine[8+i] ^ theirs[16+i]
	}
	r.start(suite3DES, secret)
	r.ssc.SetBytes(append(bytes.Clone(challenge[4:]), mine[4:8]...))
}

// pace runs the protocol; reference and password are as the chip knows them.
func (r *terminal) pace(offer PACE, reference byte, password []byte) {
	r.t.Helper()
	s := suites[offer.Suite]
	domain, err := domainByPACE(offer.Parameter)
	if err != nil {
		r.t.Fatal(err)
	}
	r.plain(0, 0x22, 0xC1, 0xA4, append(der.Retag(0x80, der.OID(offer.oid())), 0x83, 1, reference, 0x84, 1, byte(offer.Parameter)), 0)
	step := func(cla byte, data []byte) []byte {
		answer := r.plain(cla, 0x86, 0, 0, der.TLV(0x7C, data), 256)
		outer, _, _ := nextObject(answer)
		inner, _, _ := nextObject(outer.value)
		return inner.value
	}
	nonce := cbcDecrypt(s.cipher(s.derive(password, kdfPassword)), make([]byte, s.blockSize()), step(0x10, nil))
	agree := func(tag uint32, base element) (*big.Int, element, element) {
		k, err := domain.scalar(rand.Reader)
		if err != nil {
			r.t.Fatal(err)
		}
		public := domain.mul(k, base)
		theirs, ok := domain.decode(step(0x10, der.TLV(tag, domain.encode(public))))
		if !ok {
			r.t.Fatalf("the chip's key of %02X is refused", tag)
		}
		return k, public, theirs
	}
	k, _, theirs := agree(0x81, domain.generator())
	mapped := domain.add(domain.mul(new(big.Int).SetBytes(nonce), domain.generator()), domain.mul(k, theirs))
	k, mine, theirs := agree(0x83, mapped)
	secret := domain.secret(domain.mul(k, theirs))
	run := &paceRun{offer: offer, suite: s, domain: domain}
	macKey := s.derive(secret, kdfMAC)
	if got := step(0x00, der.TLV(0x85, run.token(macKey, domain.encode(theirs)))); !bytes.Equal(got, run.token(macKey, domain.encode(mine))) {
		r.t.Fatal("the chip's token is wrong")
	}
	r.start(s, secret)
}

// readFile selects a file and reads it in blocks.
func (r *terminal) readFile(name string, block int) []byte {
	r.t.Helper()
	id := groupFiles[name]
	r.must(0xA4, 2, 0x0C, []byte{byte(id >> 8), byte(id)}, 0)
	var out []byte
	for want := len(r.chip.doc.Files[name]); len(out) < want; {
		part := r.must(0xB0, byte(len(out)>>8), byte(len(out)), nil, min(block, want-len(out)))
		if len(part) == 0 {
			r.t.Fatalf("%s: nothing at %d", name, len(out))
		}
		out = append(out, part...)
	}
	return out
}
