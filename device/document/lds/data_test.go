package lds

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// outside reads a file of the evaluation data, which is not in the
// repository. The test is skipped where WATCHPOST_DATA is not set, and fails
// where it is set and the file is not there.
func outside(t *testing.T, path string) []byte {
	t.Helper()
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: NOT RUN on real files")
	}
	b, err := os.ReadFile(filepath.Join(root, "emrtd", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTestPassport(t *testing.T) {
	read := func(name string) []byte { return outside(t, "bsi2008/EF_"+name+".bin") }
	z, err := ParseDG1(read("DG1"), now)
	if err != nil || z.Surname != "MUSTERMANN" || !z.Valid() {
		t.Errorf("DG1: %v %v", z, err)
	}
	com, err := ParseCOM(read("COM"))
	if err != nil || com.LDSVersion != "0107" || !slices.Equal(com.Groups, []int{1, 2, 3, 14}) {
		t.Errorf("COM: %+v %v", com, err)
	}
	for name, parse := range map[string]func([]byte) (*Biometrics, error){"DG2": ParseDG2, "DG3": ParseDG3, "DG4": ParseDG4} {
		b, err := parse(read(name))
		if err != nil || len(b.Images) != b.Declared {
			t.Fatalf("%s: %v", name, err)
		}
		for _, img := range b.Images {
			if img.Width == 0 || img.Height == 0 || img.Format == ImageUnknown || img.Format == ImageRaw {
				t.Errorf("%s: %s %dx%d", name, img.Format, img.Width, img.Height)
			}
		}
	}
	for n, name := range map[int]string{5: "DG5", 7: "DG7"} {
		images, err := ParseDisplayed(n, read(name))
		if err != nil || len(images) != 1 || images[0].Format != ImageJPEG2000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	d11, err := ParseDG11(read("DG11"))
	if err != nil || d11.Fields["full_name"] != "Doe John" || d11.Fields["birth_date"] != "19700101" || d11.Fields["other_names"] != "William" {
		t.Errorf("DG11: %v %v", d11.Fields, err)
	}
	d12, err := ParseDG12(read("DG12"))
	if err != nil || d12.Fields["date_of_issue"] != "20240101" || d12.Fields["personalized"] != "20240101123059" {
		t.Errorf("DG12: %v %v", d12.Fields, err)
	}
	infos, err := ParseDG14(read("DG14"))
	if err != nil || len(infos) != 3 || infos[0].Kind != InfoChipAuthenticationKey || infos[1].Kind != InfoChipAuthentication || infos[2].Kind != InfoTerminal {
		t.Errorf("DG14: %v %v", infos, err)
	}
	if key, err := ParseDG15(read("DG15")); err != nil || len(key) != 161 {
		t.Errorf("DG15: %d bytes, %v", len(key), err)
	}
	if cms, tagged, err := UnwrapSOD(read("SOD")); err != nil || !tagged || len(cms) != 1072 {
		t.Errorf("SOD: %d bytes, %v, %v", len(cms), tagged, err)
	}
}

func TestFaceFiles(t *testing.T) {
	for file, face := range map[string]string{
		"dg2_iso/test_data/ICAO_39794_5_AP_DG2_MandFields.dat": "dg2_iso/test_data/ICAO_39794_5_AP_DG2_Face.jpg",
		"dg2_iso/test_data/ICAO_39794_5_AP_DG2_AllFields.dat":  "dg2_iso/test_data/ICAO_39794_5_AP_DG2_Face.jpg",
	} {
		b, err := ParseDG2(outside(t, file))
		if err != nil || len(b.Images) != 1 || !bytes.Equal(b.Images[0].Data, outside(t, face)) || b.Images[0].Width == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	for file, face := range map[string]string{
		"dg2_iso/iso19794/test_data/ISO19794_Test1_Data.bin":        "dg2_iso/iso19794/test_data/ISO19794_Test1_Face.jpg",
		"dg2_iso/iso39794/test_data/ICAO_39794_5_AP_MandFields.dat": "dg2_iso/iso39794/test_data/ICAO_39794_5_AP_Face.jpg",
		"dg2_iso/iso39794/test_data/ICAO_39794_5_AP_AllFields.dat":  "dg2_iso/iso39794/test_data/ICAO_39794_5_AP_Face.jpg",
	} {
		images, err := record(outside(t, file), kindFace)
		if err != nil || len(images) != 1 || !bytes.Equal(images[0].Data, outside(t, face)) {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, file := range []string{
		"dg2_iso/iso19794/test_data/ISO19794_Test2_Data_InvalidImage.bin",
		"dg2_iso/iso39794/test_data/ICAO_39794_5_AP_MandFields_InvalidImage.dat",
	} {
		tag := byte(0x7F)
		block := outside(t, file)
		if block[0] == 'F' {
			tag = 0x5F
		}
		raw := object(0x75, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object(0xA1), object2(tag, 0x2E, block))))
		if _, err := ParseDG2(raw); !errors.Is(err, ErrImage) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestWorkedExamples(t *testing.T) {
	raw := outside(t, "doc9303/worked_examples.json")
	var loose struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(raw, &loose); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, r := range loose.Examples {
		var e struct {
			ID       string
			Inputs   struct{ File string }
			Expected struct {
				LDSVersion     string   `json:"lds_version"`
				UnicodeVersion string   `json:"unicode_version"`
				TagList        []string `json:"tag_list"`
				MRZ            []string
				FullName       string `json:"full_name"`
				Address        string `json:"permanent_address"`
				Persons        []struct {
					Recorded  string `json:"date_recorded"`
					Name      string
					Telephone string
					Address   string
				}
			}
		}
		if json.Unmarshal(r, &e) != nil || e.Inputs.File == "" {
			continue // examples of other clauses have other types
		}
		b, err := hex.DecodeString(e.Inputs.File)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		switch {
		case strings.HasPrefix(e.ID, "ef_com"):
			com, err := ParseCOM(b)
			if err != nil || com.LDSVersion != e.Expected.LDSVersion || com.UnicodeVersion != e.Expected.UnicodeVersion || len(com.Groups) != len(e.Expected.TagList) {
				t.Errorf("%s: %+v %v", e.ID, com, err)
			}
		case e.ID == "ef_dg1_td1":
			z, err := ParseDG1(b, now)
			if err != nil || !slices.Equal(z.Lines, e.Expected.MRZ) || z.Valid() {
				t.Errorf("%s: %v %v", e.ID, z, err)
			}
		case e.ID == "ef_dg11":
			d, err := ParseDG11(b)
			if err != nil || d.Fields["full_name"] != e.Expected.FullName || d.Fields["address"] != e.Expected.Address || d.Fields["telephone"] != "1-612-555-1212" {
				t.Errorf("%s: %v", e.ID, err)
			}
		case e.ID == "ef_dg16":
			contacts, err := ParseDG16(b)
			if err != nil || len(contacts) != len(e.Expected.Persons) {
				t.Fatalf("%s: %v", e.ID, err)
			}
			for i, p := range e.Expected.Persons {
				if contacts[i] != (Contact{p.Recorded, p.Name, p.Telephone, p.Address}) {
					t.Errorf("%s: person %d differs", e.ID, i)
				}
			}
		default:
			tried--
		}
	}
	if tried < 6 {
		t.Errorf("only %d worked examples tried", tried)
	}
	infos, err := ParseDG14(outside(t, "doc9303/spec_sample_encoded_dg14.bin"))
	if err != nil || len(infos) == 0 {
		t.Errorf("DG14 sample: %v", err)
	}
	for _, i := range infos {
		if i.Kind == InfoOther {
			t.Errorf("DG14 sample: unknown protocol %s", i.OID)
		}
	}
}

var simulated = regexp.MustCompile(`<content id="\d+">([0-9A-F]+)</content>`)

// Every file of every simulated card whose first byte is a tag of ours is read.
func TestSimulatedCards(t *testing.T) {
	for _, name := range []string{"DefaultPersoGt", "Profile01", "Profile02", "Profile03", "Profile04", "ProfileUB01", "ProfileUB02"} {
		read := 0
		for _, m := range simulated.FindAllSubmatch(outside(t, "persosim/"+name+".perso"), -1) {
			raw, err := hex.DecodeString(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			err = nil
			switch {
			case raw[0] == 0x31:
				_, err = ParseSecurityInfos(raw)
			case raw[0] == 0x61 && bytes.Contains(raw[:min(8, len(raw))], []byte{0x5F, 0x1F}):
				_, err = ParseDG1(raw, now)
			case raw[0] == 0x75:
				_, err = ParseDG2(raw)
			case raw[0] == 0x63 && bytes.Contains(raw[:min(16, len(raw))], []byte{0x7F, 0x61}):
				_, err = ParseDG3(raw)
			case raw[0] == 0x76 && bytes.Contains(raw[:min(16, len(raw))], []byte{0x7F, 0x61}):
				_, err = ParseDG4(raw)
			case raw[0] == 0x6E && bytes.Contains(raw[:min(8, len(raw))], []byte{0x31}):
				_, err = ParseDG14(raw)
			default:
				continue
			}
			read++
			if err != nil {
				t.Errorf("%s: file %#x of %d bytes: %v", name, raw[:min(6, len(raw))], len(raw), err)
			}
		}
		if read < 2 {
			t.Errorf("%s: only %d files read", name, read)
		}
	}
}
