package docnumber

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// testKey is a keyed function of the contract, without a vault.
type testKey string

func (k testKey) MAC(parts ...[]byte) (sum [32]byte, err error) {
	h := hmac.New(sha256.New, []byte(k))
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint32(len(p)))
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum, nil
}

func doc(t testing.TB, code, issuer, number string) Document {
	t.Helper()
	d, err := Normalise(code, issuer, number)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listed tells whether a question about q finds a record that lists l.
func listed(t testing.TB, l, q Document) bool {
	t.Helper()
	h, err := HashOf(testKey("k"), l)
	if err != nil {
		t.Fatal(err)
	}
	table := Build([]Entry{{h, 7}})
	probes, _, err := Probes(testKey("k"), q)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(probes, func(h Hash) bool { return len(table.Lookup(h)) > 0 })
}

func TestSameDocumentIsFound(t *testing.T) {
	for _, c := range []struct{ list, ask [3]string }{
		{[3]string{"P", "UTO", "L898902C3"}, [3]string{"P<", "UTO", "L898902C3"}},
		{[3]string{"P", "UTO", "L898902C3"}, [3]string{"PN", "UTO", "l898902c3<<<"}},
		{[3]string{"P", "D", "C01X00T47"}, [3]string{"P", "DEU", "C01X00T47"}},
		{[3]string{"P", "D", "C01X00T47"}, [3]string{"P", "D<<", "C01X00T47"}},
		{[3]string{"ID", "UTO", "AB-123 456"}, [3]string{"I", "UTO", "AB123456<"}},
		{[3]string{"", "UTO", "12345"}, [3]string{"V", "UTO", "12345"}},
		{[3]string{"P", "", "12345"}, [3]string{"P", "UTO", "12345"}},
		{[3]string{"", "", "12345"}, [3]string{"P", "UTO", "12345"}},
		{[3]string{"P", "UTO", "12345"}, [3]string{"", "UTO", "12345"}},
		{[3]string{"AC", "UTO", "12345"}, [3]string{"", "UTO", "12345"}},
		{[3]string{"", "", "12345"}, [3]string{"", "", "1234 5"}},
	} {
		l, q := doc(t, c.list[0], c.list[1], c.list[2]), doc(t, c.ask[0], c.ask[1], c.ask[2])
		if !listed(t, l, q) || !l.Equal(q) || !q.Equal(l) {
			t.Errorf("%q asked as %q: found %v, equal %v", c.list, c.ask, listed(t, l, q), l.Equal(q))
		}
	}
}

func TestOtherDocumentIsNotFound(t *testing.T) {
	for _, c := range []struct{ list, ask [3]string }{
		{[3]string{"P", "UTO", "12340"}, [3]string{"P", "UTO", "1234O"}},
		{[3]string{"P", "UTO", "I2345"}, [3]string{"P", "UTO", "12345"}},
		{[3]string{"P", "UTO", "012345"}, [3]string{"P", "UTO", "12345"}},
		{[3]string{"P", "UTO", "12345"}, [3]string{"P", "XXA", "12345"}},
		{[3]string{"P", "UTO", "12345"}, [3]string{"V", "UTO", "12345"}},
		{[3]string{"P", "UTO", "12345"}, [3]string{"I", "UTO", "12345"}},
		{[3]string{"P", "UT", "O12345"}, [3]string{"P", "UTO", "12345"}},
	} {
		l, q := doc(t, c.list[0], c.list[1], c.list[2]), doc(t, c.ask[0], c.ask[1], c.ask[2])
		if listed(t, l, q) || l.Equal(q) {
			t.Errorf("%q was found when asked as %q", c.list, c.ask)
		}
	}
}

func TestUnknownIssuerIsSaidToBeIncomplete(t *testing.T) {
	if _, complete, _ := Probes(testKey("k"), doc(t, "P", "", "12345")); complete {
		t.Error("without an issuer the lookup is not complete")
	}
	if _, complete, _ := Probes(testKey("k"), doc(t, "", "UTO", "12345")); !complete {
		t.Error("without a code every class is looked up")
	}
}

func TestRefusedNumbers(t *testing.T) {
	for _, n := range []string{"", " ", "<<<<", "- . /", strings.Repeat("1", 41)} {
		if _, err := Normalise("P", "UTO", n); !errors.Is(err, &fault.Error{Code: "document.number"}) {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestOtherKeyOtherHash(t *testing.T) {
	d := doc(t, "P", "UTO", "12345")
	a, _ := HashOf(testKey("a"), d)
	b, _ := HashOf(testKey("b"), d)
	if a == b {
		t.Error("the hash does not depend on the key")
	}
	if s := fmt.Sprintf("%v %+v %s", d, d, d); strings.Contains(s, "12345") {
		t.Errorf("printed: %s", s)
	}
}

func TestTableAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 63, 64, 65, 1000, 20_000} {
		for _, spread := range []uint64{math.MaxUint64, 1 << 20, 50} { // random, crowded, many equal
			want := map[Hash][]Locator{}
			var entries []Entry
			for range n {
				e := Entry{Hash(r.Uint64() % spread), Locator(r.Uint64N(1000))}
				if r.IntN(50) == 0 {
					e.Hash = math.MaxUint64 - e.Hash%3
				}
				if !slices.Contains(want[e.Hash], e.Record) {
					want[e.Hash] = append(want[e.Hash], e.Record)
				}
				entries = append(entries, e)
			}
			table := Build(entries)
			var raw []byte
			table.Each(func(e Entry) { raw = AppendEntry(raw, e) })
			loader := NewLoader(n)
			half := len(raw) / EntrySize / 2 * EntrySize
			if err := errors.Join(loader.Add(raw[:half]), loader.Add(raw[half:])); err != nil {
				t.Fatal(err)
			}
			for _, table := range []*Table{table, loader.Table()} {
				for h, records := range want {
					slices.Sort(records)
					if got := table.Lookup(h); !slices.Equal(got, records) {
						t.Fatalf("n %d: Lookup(%x) = %v, want %v", n, h, got, records)
					}
				}
				for range 1000 {
					h := Hash(r.Uint64())
					if got := table.Lookup(h); len(got) != len(want[h]) {
						t.Fatalf("n %d: Lookup(%x) = %v", n, h, got)
					}
				}
			}
		}
	}
}

func TestRefusedTables(t *testing.T) {
	a, b := AppendEntry(nil, Entry{1, 1}), AppendEntry(nil, Entry{2, 1})
	for name, raw := range map[string][]byte{
		"cut":      a[:15],
		"trailing": append(slices.Clone(a), 0),
		"order":    append(slices.Clone(b), a...),
		"doubled":  append(slices.Clone(a), a...),
	} {
		if err := NewLoader(2).Add(raw); !errors.Is(err, &fault.Error{Code: "document.table"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("P<", "UTO", "L898902C<3")
	f.Fuzz(func(t *testing.T, code, issuer, number string) {
		d, err := Normalise(code, issuer, number)
		if err != nil {
			return
		}
		again, err := Normalise(strings.ReplaceAll(d.class, "*", ""), strings.ReplaceAll(d.issuer, "*", ""), d.number)
		if err != nil || again.number != d.number {
			t.Errorf("the canonical form is not its own canonical form: %v", err)
		}
	})
}

func benchmarkTable() *Table {
	r := rand.New(rand.NewPCG(2, 2))
	entries := make([]Entry, 1_000_000)
	for i := range entries {
		entries[i] = Entry{Hash(r.Uint64()), Locator(r.Uint64())}
	}
	return Build(entries)
}

func BenchmarkLookup1M(b *testing.B) {
	table := benchmarkTable()
	r := rand.New(rand.NewPCG(3, 3))
	for b.Loop() {
		table.Lookup(Hash(r.Uint64()))
	}
}

func BenchmarkQuestion1M(b *testing.B) {
	table := benchmarkTable()
	for b.Loop() {
		d, err := Normalise("P", "UTO", "L898902C3")
		if err != nil {
			b.Fatal(err)
		}
		hashes, _, err := Probes(testKey("k"), d)
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range hashes {
			table.Lookup(h)
		}
	}
}
