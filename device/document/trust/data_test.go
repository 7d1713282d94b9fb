package trust_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/trust"
)

func dataDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("SKIPPED: set WATCHPOST_DATA to run on real master lists and certificates")
	}
	return filepath.Join(dir, "emrtd")
}

// The real lists, their anchors and the loose CSCAs: all is taken, an older
// edition and an unanchored list are not, and every certificate whose issuer is
// held verifies.
func TestRealLists(t *testing.T) {
	dir := dataDir(t)
	lists := filepath.Join(dir, "masterlist")
	store := t.TempDir()
	pin := func(name string) *pki.Certificate {
		c, err := trust.ReadCertificate(filepath.Join(lists, name))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	importer := func(pins ...*pki.Certificate) *trust.Importer {
		im, err := trust.NewImporter(context.Background(), store, pins)
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	take := func(im *trust.Importer, path string, certificates int) {
		t.Helper()
		r, err := im.File(context.Background(), path)
		if err != nil || r.Certificates != certificates || r.Accepted != certificates || len(r.Refused) != 0 {
			t.Fatalf("%s: %v %+v", filepath.Base(path), err, r)
		}
	}
	im := importer()
	if _, err := im.File(context.Background(), filepath.Join(lists, "NL_ML_2025-07-29.ml")); !errors.Is(err, trust.ErrUnanchored) {
		t.Errorf("without an anchor: %v", err)
	}
	im.Close()

	start := time.Now()
	im = importer(pin("DE_ROOT_CA_CSCA07.cer"), pin("NL_ROOT_CA.cer"))
	if _, err := im.File(context.Background(), filepath.Join(lists, "DE_ML_2024-08-07-07-38-24.ml")); !errors.Is(err, trust.ErrUnanchored) {
		t.Errorf("signed under an older CSCA than the pinned one: %v", err)
	}
	take(im, filepath.Join(lists, "DE_ML_2025-03-05-08-05-28.ml"), 557)
	take(im, filepath.Join(lists, "NL_ML_2025-07-29.ml"), 394)
	if err := im.Commit(); err != nil {
		t.Fatal(err)
	}
	imported := time.Since(start)
	if _, err := im.File(context.Background(), filepath.Join(lists, "DE_ML_2024-08-07-07-38-24.ml")); !errors.Is(err, trust.ErrRollback) {
		t.Errorf("older edition: %v", err)
	}
	start = time.Now()
	if _, err := trust.Open(store); err != nil {
		t.Fatal(err)
	}
	t.Logf("two lists: import %v, load %v", imported, time.Since(start))

	take(im, filepath.Join(lists, "ICAO_ml_2025.ml"), 520)
	take(im, filepath.Join(dir, "deviationlist", "erpdeviationlist.bin"), 0)
	loose, _ := filepath.Glob(filepath.Join(dir, "csca", "*.cer"))
	if len(loose) != 289 {
		t.Fatalf("%d loose certificates", len(loose))
	}
	for _, f := range loose {
		take(im, f, 1)
	}
	if err := im.Commit(); err != nil {
		t.Fatal(err)
	}
	im.Close()

	s, err := trust.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	standings := map[trust.Standing]int{}
	for _, e := range s.Entries() {
		st := s.Verify(e)
		standings[st]++
		if (e.Kind == trust.KindCSCA) != (st == trust.StandingSelf) || st == trust.StandingBroken {
			t.Errorf("%s serial %s is %s and stands as %s", e.Certificate.Subject, e.Certificate.Serial, e.Kind, st)
		}
	}
	if standings[trust.StandingSelf] != 515 || standings[trust.StandingIssuer] != 256 || standings[trust.StandingNoIssuer] != 1 {
		t.Errorf("%v", standings)
	}
	if raw, err := s.DeviationList("EE"); err != nil || len(raw) != 1867037 {
		t.Errorf("deviation list: %d bytes, %v", len(raw), err)
	}
	list, err := s.Deviations("EE")
	if err != nil {
		t.Fatal(err)
	}
	if entries, numbers := list.Entries(); entries != 1 || numbers != 169422 {
		t.Errorf("deviation list: %d entries, %d numbers", entries, numbers)
	}
	if m, ok := list.Find(deviation.Document{Type: "P", Number: "BB0000001"}); !ok || m.Possible || len(m.Types) != 1 || m.Types[0] != "2.23.136.1.1.7.2.3" {
		t.Errorf("a number of the list: %v %+v", ok, m)
	}
	if _, ok := list.Find(deviation.Document{Type: "P", Number: "BB0000000"}); ok {
		t.Error("a number that is not in the list is found")
	}
}

// The BSI test passport claims Germany, and no German anchor held has signed it.
func TestTestPassportIsNotGerman(t *testing.T) {
	dir := dataDir(t)
	b := newBench(t)
	loose, _ := filepath.Glob(filepath.Join(dir, "csca", "de_*.cer"))
	for _, f := range loose {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.take(raw)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "bsi2008", "EF_SOD.bin"))
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := der.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sod, err := pki.ParseSignedData(e.Content)
	if err != nil {
		t.Fatal(err)
	}
	ds := sod.VerifySigner(0).Certificate
	if c := b.open().Chain(ds, time.Now()); c.State != trust.ChainNoFit || c.Country != "DE" || c.Anchors != len(loose) {
		t.Errorf("%+v", c)
	}
}

// The fictional state's chain is found, and needs its own CSCA.
func TestFictionalStateChain(t *testing.T) {
	dir := filepath.Join(dataDir(t), "zkr")
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	b := newBench(t)
	b.take(read("zkr-csca-ecdsa-p256-sha256.pem"))
	b.refuse(trust.ErrUnanchored, read("zkr-dsc-rsa-2048-sha256.pem"))
	b.take(read("zkr-csca-rsa-2048-sha256.pem"))
	for _, name := range []string{"ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-2048-sha256"} {
		ds, err := trust.ReadCertificate(filepath.Join(dir, "zkr-dsc-"+name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		if c := b.open().Chain(ds, now); c.State != trust.ChainFound || c.Country != "ZK" || c.IssuerNameDiffers {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
