package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// formatVersion is the version of a generation folder.
const formatVersion = 2

// formatPhotographs is the version of one that holds photographs, which older
// programs would take for damage. One without stays of formatVersion.
const formatPhotographs = 3

const (
	metaName        = "meta.json"
	recordsName     = "records.db"
	photographsName = "photographs.db"
)

// maxMeta bounds meta.json in bytes: a line for each 4 MiB chunk of a terabyte.
const maxMeta = 64 << 20

// Kind says what a file of a generation holds. Published words.
type Kind string

// Kinds of files.
const (
	KindRecords     Kind = "records"     // blocks of sealed records
	KindIndex       Kind = "index"       // where in them a record begins
	KindFaces       Kind = "faces"       // face templates of one model
	KindFingers     Kind = "fingers"     // packed prints
	KindDocuments   Kind = "documents"   // sorted table of document hashes
	KindPhotographs Kind = "photographs" // blocks of one sealed photograph each
)

// Manifest is what a generation says of itself. It is sealed: without the
// list's key nobody learns whose list this is or how many it holds.
type Manifest struct {
	Schema     int             `json:"schema"` // of its records
	List       string          `json:"list"`
	Owner      string          `json:"owner"`
	LegalBasis string          `json:"legal_basis"`
	Purpose    string          `json:"purpose"`
	Handling   record.Handling `json:"handling"`
	Generation uint64          `json:"generation"`
	Created    time.Time       `json:"created"`
	Expires    time.Time       `json:"expires"`
	Records    int             `json:"records"`
	// RecordBytes is how many bytes of records.db are records, before sealing
	// of its blocks; what follows is padding.
	RecordBytes int64       `json:"record_bytes"`
	Documents   int         `json:"documents"` // entries of the document table
	Faces       []FaceIndex `json:"faces"`
	Fingers     FingerIndex `json:"fingers,omitzero"`
	Photographs int         `json:"photographs,omitzero"`
	Files       []File      `json:"files"`
}

// FaceIndex counts the templates of one model.
type FaceIndex struct {
	Model     string `json:"model"`
	Version   string `json:"version"`
	Templates int    `json:"templates"`
	Persons   int    `json:"persons"`
}

// File is one file of a generation.
type File struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Index  int    `json:"index"`           // among the files of its kind and model
	Model  int    `json:"model,omitempty"` // index into Manifest.Faces
	Size   int64  `json:"size"`
	SHA256 []byte `json:"sha256"`
}

// header is meta.json.
type header struct {
	Format     int    `json:"format"`
	List       string `json:"list"`
	Generation uint64 `json:"generation"`
	Key        []byte `json:"key"`    // generation key, wrapped by the list key
	Sealed     []byte `json:"sealed"` // Manifest, sealed by the generation key
}

var (
	listForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)
	fileForm = regexp.MustCompile(`^(records\.db|photographs\.db|(index|faces|fingers|documents)-[0-9]{5,9}\.chunk)$`)
)

// checkList refuses identifiers that cannot name a folder.
func checkList(list string) error {
	if !listForm.MatchString(list) {
		return fault.New("store.list", "a list is named by 1 to 64 of a-z, 0-9, '_', '.' and '-'")
	}
	return nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// keyName is the identity under which a generation's key is wrapped.
func (h *header) keyName() string { return h.List + "/" + decimal(h.Generation) }

func (h *header) identity() []byte {
	return vault.Identity("watchpost/meta/1", h.List, decimal(h.Generation))
}

// decodeHeader reads meta.json's bytes.
func decodeHeader(raw []byte) (*header, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return nil, damaged("read %s: malformed", metaName)
	}
	if version.Format != formatVersion && version.Format != formatPhotographs {
		return nil, fault.New("store.format", "generation of version %d, this program knows %d and %d", version.Format, formatVersion, formatPhotographs)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	h := &header{}
	if err := dec.Decode(h); err != nil {
		return nil, damaged("read %s: unknown key or malformed", metaName)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, damaged("%s goes on after its end", metaName)
	}
	if checkList(h.List) != nil || h.Generation == 0 {
		return nil, damaged("%s names no list or generation", metaName)
	}
	// One generation has one meta.json: another spelling of the same bytes
	// would be taken for another generation of its number.
	if own, err := json.Marshal(h); err != nil || !bytes.Equal(own, raw) {
		return nil, damaged("%s is not spelled as it was written", metaName)
	}
	return h, nil
}

// decodeManifest reads a manifest's opened bytes and checks that it fits its
// header.
func decodeManifest(raw []byte, h *header) (*Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	m := &Manifest{}
	if err := dec.Decode(m); err != nil {
		return nil, damaged("read the manifest: unknown key or malformed")
	}
	if m.Schema != record.SchemaVersion {
		return nil, fault.New("store.format", "records of version %d, this program knows %d", m.Schema, record.SchemaVersion)
	}
	if m.List != h.List || m.Generation != h.Generation {
		return nil, damaged("the manifest is of another list or generation")
	}
	if (h.Format == formatPhotographs) != (m.Photographs > 0) {
		return nil, damaged("%s is of another version than its manifest", metaName)
	}
	if m.Records < 0 || m.Documents < 0 || m.RecordBytes < 0 || m.Photographs < 0 {
		return nil, damaged("the manifest counts below zero")
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if !fileForm.MatchString(f.Name) || seen[f.Name] || f.Size < 0 || len(f.SHA256) != 32 || f.Model < 0 ||
			f.Kind == KindFaces && f.Model >= len(m.Faces) || (f.Kind == KindPhotographs) != (f.Name == photographsName) {
			return nil, damaged("the manifest's file table is malformed")
		}
		seen[f.Name] = true
	}
	if !seen[recordsName] {
		return nil, damaged("the manifest names no %s", recordsName)
	}
	return m, nil
}

// readMeta reads and opens meta.json of a generation folder.
func readMeta(dir string, listKey *vault.Key) (*Manifest, *vault.Key, error) {
	raw, err := readRegular(filepath.Join(dir, metaName), maxMeta)
	if err != nil {
		return nil, nil, damaged("%w", err)
	}
	head, err := decodeHeader(raw)
	if err != nil {
		return nil, nil, err
	}
	key, err := listKey.Unwrap(head.Key, vault.ScopeGeneration, head.keyName())
	if err != nil {
		return nil, nil, err
	}
	plain, err := key.Open(nil, head.Sealed, head.identity())
	if err != nil {
		key.Destroy()
		return nil, nil, damaged("the manifest does not open under its own key")
	}
	m, err := decodeManifest(plain, head)
	if err != nil {
		key.Destroy()
		return nil, nil, err
	}
	return m, key, nil
}

// writeMeta seals the manifest and writes meta.json.
func writeMeta(dir string, m *Manifest, listKey, key *vault.Key) error {
	h := &header{Format: formatVersion, List: m.List, Generation: m.Generation}
	if m.Photographs > 0 {
		h.Format = formatPhotographs
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return fault.Wrap("store.write", err)
	}
	if h.Key, err = listKey.Wrap(key, vault.ScopeGeneration, h.keyName()); err != nil {
		return err
	}
	if h.Sealed, err = key.Seal(nil, pad(plain), h.identity()); err != nil {
		return err
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return fault.Wrap("store.write", err)
	}
	return writeSynced(filepath.Join(dir, metaName), raw)
}

// pad fills JSON with spaces to a multiple of 4 KiB, so that its length does
// not tell the length of the owner's name or count the chunks.
func pad(plain []byte) []byte {
	const class = 4 << 10
	return append(plain, bytes.Repeat([]byte{' '}, (class-len(plain)%class)%class)...)
}
