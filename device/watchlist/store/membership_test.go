package store

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/hwtest/powercut"
)

// stranger makes a person whose record may be short or very long: what a
// size would tell must be there to be told.
func stranger(r *rand.Rand, n int) *record.Record {
	letters := func(most int) string {
		b := make([]byte, 2+r.IntN(most))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	p := &record.Record{Schema: 1, ID: fmt.Sprintf("P-%08d", n), Edition: 1}
	for range 1 + r.IntN(1+r.IntN(8)) {
		p.Names = append(p.Names, record.Name{Primary: letters(20), Secondary: letters(30), Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood})
	}
	for range r.IntN(1 + r.IntN(8)) {
		p.Documents = append(p.Documents, record.Document{Type: "P", Issuer: "UTO", Number: fmt.Sprintf("%09d", r.IntN(1e9)), Status: record.DocumentLost})
	}
	for range r.IntN(4) {
		p.Faces = append(p.Faces, record.Face{Model: "m", Version: "1", Vector: vector(r), Images: 1})
	}
	for range r.IntN(4) {
		p.Photographs = append(p.Photographs, record.Photograph{Image: picture(r.Uint64(), 3+r.IntN(record.MaxPhotograph-2))})
	}
	return p
}

// seen is what an attacker has: all files of a list on a post, with two
// generations of it, and what he knows of a candidate.
type seen struct {
	older, newer map[string][]byte // contents by name
	at           map[string]int64  // when the newer ones were written, nanoseconds
	candidate    *record.Record
	text         []byte  // the candidate's record as it would be written
	plain        int     // length of the start of the records, compressed
	spread, same float64 // of the files, see evenness and equal
	rest         []int   // lengths of all records of the newer generation, which no attacker has: for the control
}

// attackers of the files, who have no key. Each knows the form of the files
// and of records, and everything about the candidate; sign is how what he
// looks at would go with the candidate's own size.
var attackers = []struct {
	name  string
	score func(s *seen, big float64) float64
}{
	{"size of the records, and the candidate's", func(s *seen, big float64) float64 { return big * size(s.newer, recordsName) }},
	{"size of the index", func(s *seen, big float64) float64 { return big * size(s.newer, "index") }},
	{"size of the faces, and how many he has", func(s *seen, _ float64) float64 {
		return (float64(len(s.candidate.Faces)) - 1.5) * size(s.newer, "faces")
	}},
	{"size of the documents, and how many he has", func(s *seen, _ float64) float64 {
		return (float64(len(s.candidate.Documents)) - 1.75) * size(s.newer, "documents")
	}},
	{"size of the photographs, and how many he has", func(s *seen, _ float64) float64 {
		return (float64(len(s.candidate.Photographs)) - 1.5) * size(s.newer, photographsName)
	}},
	{"growth of the photographs", func(s *seen, _ float64) float64 {
		return (float64(len(s.candidate.Photographs)) - 1.5) * (size(s.newer, photographsName) - size(s.older, photographsName))
	}},
	{"what stands at a block of his photograph", func(s *seen, _ float64) float64 {
		best, raw := 0.0, s.newer[photographsName]
		for _, p := range s.candidate.Photographs {
			sum := sha256.Sum256(p.Image)
			best += agree(raw[int(binary.BigEndian.Uint32(sum[:]))%(len(raw)/blockSize)*blockSize:], p.Image)
		}
		return best / math.Max(1, float64(len(s.candidate.Photographs)))
	}},
	{"lengths of his photographs, and where files end", func(s *seen, _ float64) float64 {
		sum := 0
		for _, p := range s.candidate.Photographs {
			sum += len(p.Image)
		}
		return (float64(sum) - 12_000) * size(s.newer, photographsName)
	}},
	{"size and number of all files", func(s *seen, big float64) float64 { return big * (size(s.newer, "") + float64(len(s.newer))) }},
	{"growth since the generation before", func(s *seen, big float64) float64 { return big * (size(s.newer, "") - size(s.older, "")) }},
	{"growth of the faces", func(s *seen, _ float64) float64 {
		return (float64(len(s.candidate.Faces)) - 1.5) * (size(s.newer, "faces") - size(s.older, "faces"))
	}},
	{"what stands where his record would stand", func(s *seen, _ float64) float64 {
		sum := sha256.Sum256([]byte(s.candidate.ID))
		raw := s.newer[recordsName]
		at := int(binary.BigEndian.Uint32(sum[:]) % uint32(len(raw)-len(s.text)))
		return agree(raw[at:], s.text)
	}},
	{"what stands at the start of his block", func(s *seen, _ float64) float64 {
		sum := sha256.Sum256([]byte(s.candidate.ID))
		raw := s.newer[recordsName]
		return agree(raw[int(binary.BigEndian.Uint32(sum[:]))%(len(raw)/blockSize)*blockSize:], s.text)
	}},
	{"time between records and meta.json", func(s *seen, big float64) float64 { return big * float64(s.at[metaName]-s.at[recordsName]) }},
	{"time of writing, to the nanosecond", func(s *seen, _ float64) float64 {
		sum := sha256.Sum256([]byte(s.candidate.ID))
		return -math.Abs(float64(s.at[recordsName]%1e6)/1e6 - float64(binary.BigEndian.Uint32(sum[:]))/math.MaxUint32)
	}},
	{"his document numbers under a hash without key", func(s *seen, _ float64) float64 {
		hits := 0.0
		for _, d := range s.candidate.Documents {
			for _, form := range []string{d.Number, d.Type + d.Issuer + d.Number, d.Type + "|" + d.Issuer + "|" + d.Number} {
				sum := sha256.Sum256([]byte(form))
				hits += float64(bytes.Count(s.newer["documents-00000.chunk"], sum[:2]))
			}
		}
		return hits / math.Max(1, float64(len(s.candidate.Documents)))
	}},
	{"bits of the tables, at places his numbers give", func(s *seen, _ float64) float64 {
		set, n := 0.0, 0.0
		for _, d := range s.candidate.Documents {
			sum := sha256.Sum256([]byte(d.Number))
			raw := s.newer["documents-00000.chunk"]
			for i := range 8 {
				bit := binary.BigEndian.Uint32(sum[4*i:]) % uint32(8*len(raw))
				set += float64(raw[bit/8] >> (bit % 8) & 1)
				n++
			}
		}
		return set / math.Max(1, n)
	}},
	{"his face's bytes in the face table", func(s *seen, _ float64) float64 {
		best := 0.0
		for _, f := range s.candidate.Faces {
			bits := binary.LittleEndian.AppendUint32(nil, math.Float32bits(f.Vector[0]))
			best += float64(bytes.Count(s.newer["faces-00000.chunk"], bits[:2]))
		}
		return best / math.Max(1, float64(len(s.candidate.Faces)))
	}},
	{"how well the files compress after his record", func(s *seen, _ float64) float64 {
		return float64(s.plain - deflated(s.newer[recordsName][:compressed], s.text))
	}},
	{"how evenly the bytes are spread", func(s *seen, big float64) float64 { return big * s.spread }},
	{"pieces of ciphertext equal in both generations", func(s *seen, _ float64) float64 { return s.same }},
	{"his name or number in clear", func(s *seen, _ float64) float64 {
		hits := 0
		for _, raw := range s.newer {
			for _, n := range s.candidate.Names {
				hits += bytes.Count(raw, []byte(n.Secondary[:2]+n.Primary[:2]))
			}
			for _, d := range s.candidate.Documents {
				hits += bytes.Count(raw, []byte(d.Number))
			}
		}
		return float64(hits)
	}},
}

// control is what an attacker would say who saw how long each record is, in
// steps of 512 bytes: what the files showed before records lay in blocks. He
// must win, or the test could not tell.
func control(s *seen) float64 {
	n := 0.0
	for _, l := range s.rest {
		if l/512 == len(s.text)/512 {
			n++
		}
	}
	return n / float64(len(s.rest))
}

func size(files map[string][]byte, prefix string) float64 {
	n := 0
	for name, raw := range files {
		if strings.HasPrefix(name, prefix) {
			n += len(raw)
		}
	}
	return float64(n)
}

func agree(raw, text []byte) float64 {
	n := 0
	for i := range min(len(raw), len(text)) {
		if raw[i] == text[i] {
			n++
		}
	}
	return float64(n) / float64(len(text))
}

// compressed is how many bytes of the records are compressed.
const compressed = 16 << 10

func deflated(raw, first []byte) int {
	var out bytes.Buffer
	w, err := flate.NewWriterDict(&out, flate.BestSpeed, first)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(raw) // into memory
	_ = w.Close()
	return out.Len()
}

func evenness(raw []byte) float64 {
	var count [256]float64
	for _, b := range raw {
		count[b]++
	}
	want, chi := float64(len(raw))/256, 0.0
	for _, c := range count {
		chi += (c - want) * (c - want) / want
	}
	return chi / 255
}

// equal counts pieces of 16 bytes that stand at the same place in both.
func equal(a, b map[string][]byte) float64 {
	n := 0
	for name, raw := range a {
		for i := 0; i+16 <= min(len(raw), len(b[name])); i += 16 {
			if bytes.Equal(raw[i:i+16], b[name][i:i+16]) {
				n++
			}
		}
	}
	return float64(n)
}

// trials lets every attacker score candidates of many lists, half of them
// members, and returns the scores by attacker, those of the control last.
func trials(t *testing.T, seed uint64, lists, each int) [][]score {
	r := rand.New(rand.NewPCG(seed, 2))
	out := make([][]score, len(attackers)+1)
	next := 0
	fresh := func() *record.Record { next++; return stranger(r, int(r.Uint32()%1e8)) }
	for l := range lists {
		var before, members []*record.Record
		for range 20 + r.IntN(60) {
			before = append(before, fresh())
		}
		members = append(members, before[len(before)/10:]...) // some have left, others have come
		for range each / 2 {
			members = append(members, fresh())
		}
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		older, newer, at := onPost(t, before, members)
		s := &seen{
			older: older, newer: newer, at: at,
			plain: deflated(newer[recordsName][:compressed], nil), spread: evenness(newer[recordsName]), same: equal(older, newer),
		}
		for _, m := range members {
			s.rest = append(s.rest, len(text(t, m)))
		}
		for i := range each {
			member := i%2 == 0
			if s.candidate = fresh(); member {
				s.candidate = members[i/2]
			}
			s.text = text(t, s.candidate)
			big := (float64(len(s.text)) - 1700) / 1000 // 1,700 bytes is about their mean
			for a := range attackers {
				out[a] = append(out[a], score{l, member, attackers[a].score(s, big)})
			}
			out[len(attackers)] = append(out[len(attackers)], score{l, member, control(s)})
		}
	}
	return out
}

// text is a record as the list holds it: its photographs lie elsewhere.
func text(t *testing.T, r *record.Record) []byte {
	kept := *r
	kept.Photographs = nil
	for range r.Photographs {
		kept.Photographs = append(kept.Photographs, record.Photograph{SHA256: make([]byte, sha256.Size)})
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// onPost makes two generations, adopts both and returns the files.
func onPost(t *testing.T, before, members []*record.Record) (older, newer map[string][]byte, at map[string]int64) {
	b, dir := newBench(t), powercut.TempDir(t)
	defer os.RemoveAll(dir)
	d, err := OpenDir(ctx, filepath.Join(dir, "list"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, list := range [][]*record.Record{before, members} {
		src := filepath.Join(dir, fmt.Sprint(i))
		builder, err := Create(src, b.ring, b.key, spec("bench", uint64(i+1)))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if err := builder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := builder.Finish(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Adopt(ctx, src, "bench", b.key, 0); err != nil {
			t.Fatal(err)
		}
	}
	read := func(n uint64) (map[string][]byte, map[string]int64) {
		files, times := map[string][]byte{}, map[string]int64{}
		folder := filepath.Join(dir, "list", folderName(n))
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			times[e.Name()] = info.ModTime().UnixNano()
			if files[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		return files, times
	}
	older, _ = read(1)
	newer, at = read(2)
	return older, newer, at
}

// TestMembership lets every stated attacker tell members from strangers by
// the files alone: none may do better or worse than chance, and the control,
// who sees lengths that the files do not show, must.
func TestMembership(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1) // one run is one answer, times of files apart
	membership(t, 1, 52, 20, 1.96)
}

func TestSoakMembership(t *testing.T) {
	soak(t)
	// Of twenty true intervals of 95 % one is expected beside 0.5: over random
	// seeds all of them hold together but in one run of 10,000 at 5 (Bonferroni).
	membership(t, rand.Uint64(), 500, 20, 5)
}

func membership(t *testing.T, seed uint64, lists, each int, widths float64) {
	all := trials(t, seed, lists, each)
	var table strings.Builder
	fmt.Fprintf(&table, "%d candidates of %d lists, half of them members\n%-50s %6s   95 %% interval\n", lists*each, lists, "attacker", "AUC")
	for i, scores := range all {
		at, low, high := interval(scores)
		name := "control: length of each record in steps of 512"
		if i < len(attackers) {
			name = attackers[i].name
			width := widths
			if strings.HasPrefix(name, "time ") {
				width = max(width, 6) // times differ from run to run: over 52 lists no false alarm in a million of them
			}
			if half := (high - at) * width / 1.96; at-half > 0.5 || at+half < 0.5 {
				t.Errorf("%s: AUC %.3f, interval %.3f to %.3f", name, at, low, high)
			}
		} else if low <= 0.5 {
			t.Errorf("the control does not win (%.3f, from %.3f): the test does not test", at, low)
		}
		fmt.Fprintf(&table, "%-50s %6.3f   %.3f to %.3f\n", name, at, low, high)
	}
	t.Log(table.String())
}
