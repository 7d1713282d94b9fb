package store

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Spec is what a generation is built as. Owner, legal basis, purpose, handling
// and expiry hold for every record that does not say otherwise.
type Spec struct {
	List       string
	Generation uint64
	Owner      string
	LegalBasis string
	Purpose    string
	Handling   record.Handling
	Created    time.Time
	Expires    time.Time
}

// Builder writes one generation into a folder. Add may be called from several
// goroutines; Finish or Abort once, after them.
type Builder struct {
	dir     string // final name
	partial string
	listKey *vault.Key
	key     *vault.Key
	seal    *sealer

	mu        sync.Mutex // protects what follows
	m         *Manifest
	spill     *spill
	faces     map[[2]string]*chunkWriter // by model and version
	prints    *chunkWriter               // nil until there is one
	pictures  *spill                     // of photographs, nil until there is one
	documents []docnumber.Entry
}

// Create begins a generation that will be the folder dir, which must not be
// there. listKey is the list's key, ring keeps the generation's own meanwhile.
func Create(dir string, ring *vault.Ring, listKey *vault.Key, spec Spec) (*Builder, error) {
	if err := checkList(spec.List); err != nil {
		return nil, err
	}
	if spec.Generation == 0 || spec.Generation > math.MaxInt64 || spec.Created.IsZero() || !spec.Expires.After(spec.Created) {
		return nil, fault.New("store.spec", "a generation has a number from 1, a date and a later expiry")
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil, fault.New("store.exists", "the generation's folder is there already")
	}
	partial := dir + partialSuffix
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o700)); err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	key, err := ring.Random()
	if err != nil {
		return nil, err
	}
	b := &Builder{dir: dir, partial: partial, listKey: listKey, key: key, faces: map[[2]string]*chunkWriter{}, m: &Manifest{
		Schema: record.SchemaVersion, List: spec.List, Owner: spec.Owner, LegalBasis: spec.LegalBasis, Purpose: spec.Purpose,
		Handling: spec.Handling, Generation: spec.Generation, Created: spec.Created.UTC(), Expires: spec.Expires.UTC(),
	}}
	if b.seal, err = newSealer(key, spec.List, spec.Generation); err != nil {
		b.Abort()
		return nil, err
	}
	b.spill = &spill{dir: partial}
	return b, nil
}

// Add takes one record. What it leaves open is the list's; with that it must
// be valid (record.invalid) and of this list (store.list). Expired records are
// taken: the post, whose clock decides, leaves them out of answers.
func (b *Builder) Add(r *record.Record) error {
	whole := b.m.fill(*r)
	if err := whole.Validate(); err != nil {
		return err
	}
	if whole.List != b.m.List {
		return fault.New("store.list", "the record is of another list")
	}
	for i := range whole.Faces {
		if len(whole.Faces[i].Vector) != kernel.Dims {
			return fault.New("store.face", "face template %d has %d values, this version searches %d", i, len(whole.Faces[i].Vector), kernel.Dims)
		}
	}
	key, err := b.seal.recordKey(whole.ID)
	if err != nil {
		return err
	}
	entries, err := documentEntries(b.seal.index, whole, key)
	if err != nil {
		return err
	}
	prints, err := packFingers(whole.Fingers)
	if err != nil {
		return err
	}
	pictures, held, err := b.seal.takePhotographs(whole)
	if err != nil {
		return err
	}
	whole.Photographs = held
	sealed, err := b.seal.seal(key, b.m.strip(*whole))
	if err != nil {
		return fault.Wrap("store.write", err)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.spill.add(key, sealed); err != nil {
		return err
	}
	if err := b.addFaces(key, whole.Faces); err != nil {
		return err
	}
	if err := b.addFingers(key, prints); err != nil {
		return err
	}
	if err := b.spillPhotographs(pictures); err != nil {
		return err
	}
	b.documents = append(b.documents, entries...)
	b.m.Records++
	return nil
}

func documentEntries(index *vault.Key, r *record.Record, key RecordKey) ([]docnumber.Entry, error) {
	var entries []docnumber.Entry
	for i, d := range r.Documents {
		doc, err := docnumber.Normalise(d.Type, d.Issuer, d.Number)
		if err != nil {
			return nil, fault.New("store.document", "document %d: %w", i, err)
		}
		h, err := docnumber.HashOf(index, doc)
		if err != nil {
			return nil, err
		}
		entries = append(entries, docnumber.Entry{Hash: h, Record: key.Locator()})
	}
	return entries, nil
}

// faceRow is the length of one template in a chunk: record key and values.
const faceRow = len(RecordKey{}) + 4*kernel.Dims

// addFaces writes templates to the chunks of their model. The rows of one
// record stand together. The caller holds mu.
func (b *Builder) addFaces(key RecordKey, faces []record.Face) error {
	seen := map[int]bool{}
	for i := range faces {
		name := [2]string{faces[i].Model, faces[i].Version}
		w := b.faces[name]
		if w == nil {
			w = &chunkWriter{dir: b.partial, m: b.m, key: b.key, kind: KindFaces, model: len(b.m.Faces), rowSize: faceRow}
			b.faces[name] = w
			b.m.Faces = append(b.m.Faces, FaceIndex{Model: name[0], Version: name[1]})
		}
		row := append(make([]byte, 0, faceRow), key[:]...)
		for _, x := range faces[i].Vector {
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(x))
		}
		if err := w.write(row); err != nil {
			return err
		}
		b.m.Faces[w.model].Templates++
		if !seen[w.model] {
			seen[w.model] = true
			b.m.Faces[w.model].Persons++
		}
	}
	return nil
}

// AddAll adds a sequence of records on all cores, and ends at the first that
// is refused or when ctx ends.
func (b *Builder) AddAll(ctx context.Context, records iter.Seq2[*record.Record, error]) error {
	const batchSize = 256
	group, ctx := errgroup.WithContext(ctx)
	batches := make(chan []*record.Record, runtime.GOMAXPROCS(0))
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for batch := range batches {
				for _, r := range batch {
					if err := b.Add(r); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(batches)
		var batch []*record.Record
		send := func() error {
			select {
			case batches <- batch:
				batch = nil
				return nil
			case <-ctx.Done():
				return fault.Wrap("store.cancelled", context.Cause(ctx))
			}
		}
		for r, err := range records {
			if err != nil {
				return err
			}
			if batch = append(batch, r); len(batch) == batchSize {
				if err := send(); err != nil {
					return err
				}
			}
		}
		return send()
	})
	return group.Wait()
}

// Finish writes the database, syncs everything and gives the folder its name.
// Two records of one identifier are refused (store.duplicate). After an error
// nothing is left.
func (b *Builder) Finish(ctx context.Context) (*Manifest, error) {
	if err := b.finish(ctx); err != nil {
		b.Abort()
		return nil, err
	}
	b.seal.index.Destroy()
	b.key.Destroy()
	return b.m, nil
}

func (b *Builder) finish(ctx context.Context) error {
	if err := b.writeRecords(ctx); err != nil {
		return err
	}
	if err := b.spill.close(); err != nil {
		return err
	}
	b.spill = nil
	if err := b.writePhotographs(); err != nil {
		return err
	}
	for _, w := range b.faces {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if b.prints != nil {
		if err := b.prints.flush(); err != nil {
			return err
		}
	}
	if err := b.writeDocuments(); err != nil {
		return err
	}
	size, sum, err := sumFile(filepath.Join(b.partial, recordsName))
	if err != nil {
		return err
	}
	b.m.Files = append(b.m.Files, File{Name: recordsName, Kind: KindRecords, Size: size, SHA256: sum})
	if err := writeMeta(b.partial, b.m, b.listKey, b.key); err != nil {
		return err
	}
	if err := fault.Wrap("store.write", durable.SyncDir(b.partial)); err != nil {
		return err
	}
	if err := os.Rename(b.partial, b.dir); err != nil {
		return fault.Wrap("store.write", err)
	}
	return fault.Wrap("store.write", durable.SyncDir(filepath.Dir(b.dir)))
}

func (b *Builder) writeDocuments() error {
	table := docnumber.Build(b.documents)
	b.documents, b.m.Documents = nil, table.Len()
	w := &chunkWriter{dir: b.partial, m: b.m, key: b.key, kind: KindDocuments, rowSize: docnumber.EntrySize}
	var err error
	var row []byte
	table.Each(func(e docnumber.Entry) {
		if err == nil {
			row = docnumber.AppendEntry(row[:0], e)
			err = w.write(row)
		}
	})
	if err != nil {
		return err
	}
	return w.flush()
}

// writeRecords writes records.db and its index.
func (b *Builder) writeRecords(ctx context.Context) (err error) {
	w, err := newBlockWriter(b.partial, b.m, b.key)
	if err != nil {
		return err
	}
	defer w.abort()
	const often = 4096 // records between two looks at ctx
	n, last := 0, RecordKey{}
	err = b.spill.each(func(it item) error {
		if n > 0 && it.key == last {
			return fault.New("store.duplicate", "two records have the same identifier")
		}
		if n, last = n+1, it.key; n%often == 0 && ctx.Err() != nil {
			return fault.Wrap("store.cancelled", ctx.Err())
		}
		return w.add(it)
	})
	if err != nil {
		return err
	}
	return w.finish()
}

// Abort removes what was written. It does nothing after Finish.
func (b *Builder) Abort() {
	if b.spill != nil {
		_ = b.spill.close() // the whole folder goes next
		b.spill = nil
	}
	if b.pictures != nil {
		_ = b.pictures.close()
		b.pictures = nil
	}
	_ = os.RemoveAll(b.partial)
	if b.seal != nil {
		b.seal.index.Destroy()
	}
	b.key.Destroy()
}
