package trust_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/trust"
)

// Every issuer code with a certificate country known is matched by it, and by
// no other issuer's unless both are known for it.
func TestIssuerCodes(t *testing.T) {
	f, err := os.Open(filepath.Join(dataDir(t), "issuer_codes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 250 {
		t.Fatal(len(rows), err)
	}
	matched, without := 0, []string{}
	for _, row := range rows[1:] {
		code, country := row[0], row[3]
		if country == "" {
			without = append(without, code)
			continue
		}
		if trust.CountryMatches(country, code) {
			matched++
		} else {
			t.Errorf("%s is not matched by %s", code, country)
		}
	}
	t.Logf("%d codes matched, without a country: %v", matched, without)
}
