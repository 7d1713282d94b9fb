package shard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// placeFile, in the folder of a part, says which it is. It is no secret, and
// nothing rests on it: keys are bound to the place.
const placeFile = "part.json"

// searchDir, in the folder of a part, holds the key of searches, wrapped for
// each worker of the place.
const searchDir = "search"

// SplitOptions are those of Split.
type SplitOptions struct {
	Folder string // lists, as in Options
	State  string // for what is made on the way
	Vault  *vault.Vault
	Into   int
	// For are the workers of each place, who all get the same: replicas.
	For    [][]vault.Recipient
	Search *vault.Key
	Out    string // not there yet
}

// Part is what was written for one place.
type Part struct {
	Dir     string         `json:"dir"`
	Shard   int            `json:"shard"`
	Of      int            `json:"of"`
	Workers []string       `json:"workers"` // their recipients
	Records map[string]int `json:"records"` // by list
	split   string
}

// placed is the content of placeFile.
type placed struct {
	Shard int    `json:"shard"`
	Of    int    `json:"of"`
	Split string `json:"split"` // 32 hexadecimal digits: another for each split
}

// Split divides every list of a folder by the hashes of its records' identifiers
// into as many parts as there are places, each sealed under a key of its own,
// wrapped for the workers of its place alone. Every part has every list, if only
// without records, so that each answer tells of all. Photographs are left out:
// central sends none.
func Split(ctx context.Context, o SplitOptions) (parts []Part, err error) {
	if o.Into < 1 || o.Into > MaxShards || len(o.For) != o.Into || slices.ContainsFunc(o.For, func(w []vault.Recipient) bool { return len(w) == 0 }) {
		return nil, fault.New("central.split", "each of 1 to %d parts needs a worker", MaxShards)
	}
	if _, err := os.Lstat(o.Out); err == nil {
		return nil, fault.New("central.split", "the folder of parts is there already")
	}
	entries, err := os.ReadDir(filepath.Join(o.Folder, "lists"))
	if err != nil {
		return nil, fault.Wrap("central.lists", err)
	}
	defer func() {
		if err != nil { // half a split is none
			err = errors.Join(err, os.RemoveAll(o.Out))
		}
	}()
	var id [16]byte
	rand.Read(id[:])
	for i := range o.Into {
		p := Part{split: hex.EncodeToString(id[:]), Dir: filepath.Join(o.Out, "part-"+strconv.Itoa(i)), Shard: i, Of: o.Into, Records: map[string]int{}}
		for _, w := range o.For[i] {
			p.Workers = append(p.Workers, w.ID())
		}
		if err := p.begin(o); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for _, e := range entries {
		if err := o.split(ctx, e.Name(), parts); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// begin writes what a part has beside its lists.
func (p Part) begin(o SplitOptions) error {
	if err := errors.Join(os.MkdirAll(filepath.Join(p.Dir, "lists"), 0o700), os.MkdirAll(filepath.Join(p.Dir, searchDir), 0o700)); err != nil {
		return fault.Wrap("central.split", err)
	}
	raw, err := json.Marshal(placed{Shard: p.Shard, Of: p.Of, Split: p.split})
	if err != nil {
		return fault.Wrap("central.split", err)
	}
	if err := os.WriteFile(filepath.Join(p.Dir, placeFile), raw, 0o600); err != nil {
		return fault.Wrap("central.split", err)
	}
	return wrapAll(filepath.Join(p.Dir, searchDir), o.For[p.Shard], o.Search, SearchKey)
}

func (p Part) place() Place { return Place{p.Shard, p.Of} }

func wrapAll(dir string, to []vault.Recipient, key *vault.Key, name string) error {
	for _, r := range to {
		wrapped, err := vault.WrapTo(r, key, vault.ScopeList, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, r.ID()), wrapped, 0o600); err != nil {
			return fault.Wrap("central.split", err)
		}
	}
	return nil
}

// split divides one list.
func (o SplitOptions) split(ctx context.Context, list string, parts []Part) (err error) {
	whole := &Lists{}
	if err := whole.take(ctx, Options{Folder: o.Folder, State: o.State, Vault: o.Vault, At: Whole}, list); err != nil {
		return errors.Join(err, whole.Close())
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	key, err := o.Vault.ListKey(list)
	if err != nil {
		return err
	}
	g, err := whole.dirs[0].Open(list, key, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	ring := vault.NewRing()
	defer ring.Close()
	m := g.Manifest()
	builders := make([]*store.Builder, len(parts))
	defer func() {
		for _, b := range builders {
			if b != nil {
				b.Abort() // after Finish it does nothing
			}
		}
	}()
	for i, p := range parts {
		key, err := ring.Random()
		if err != nil {
			return err
		}
		keys := filepath.Join(p.Dir, "keys", list)
		if err := os.MkdirAll(keys, 0o700); err != nil {
			return fault.Wrap("central.split", err)
		}
		if err := wrapAll(keys, o.For[i], key, p.place().KeyName(list)); err != nil {
			return err
		}
		builders[i], err = store.Create(filepath.Join(p.Dir, "lists", list), ring, key, store.Spec{
			List: m.List, Generation: m.Generation, Owner: m.Owner, LegalBasis: m.LegalBasis, Purpose: m.Purpose, Handling: m.Handling, Created: m.Created, Expires: m.Expires,
		})
		if err != nil {
			return err
		}
	}
	err = g.Each(ctx, func(_ store.RecordKey, r *record.Record) error {
		r.Photographs = nil
		i := placeOf(r.ID, len(parts))
		parts[i].Records[list]++
		return builders[i].Add(r)
	})
	for _, b := range builders {
		if err == nil {
			_, err = b.Finish(ctx)
		}
	}
	return err
}

// placeOf is the part that a record belongs to, by the hash of its identifier.
func placeOf(id string, parts int) int {
	sum := sha256.Sum256([]byte(id))
	return int(binary.BigEndian.Uint64(sum[:]) % uint64(parts))
}

// ReadPlace says which part lies in a folder, and of which split: parts of two
// splits have other keys, though they be of the same generation.
func ReadPlace(folder string) (p Place, split string, err error) {
	var in placed
	raw, err := readKey(filepath.Join(folder, placeFile))
	if err == nil {
		err = json.Unmarshal(raw, &in)
	}
	id, herr := hex.DecodeString(in.Split) // it becomes a folder's name
	p = Place{in.Shard, in.Of}
	if err != nil || herr != nil || len(id) != 16 || !p.Valid() {
		return p, "", fault.New("central.part", "the folder holds no part of lists").WithHint("watchpost-central worker split makes them")
	}
	return p, hex.EncodeToString(id), nil
}

// TakeSearchKey takes the key of searches that a part brings into the worker's
// vault.
func TakeSearchKey(folder string, v *vault.Vault) (*vault.Key, error) {
	us, err := v.Recipient()
	if err != nil {
		return nil, err
	}
	wrapped, err := readKey(filepath.Join(folder, searchDir, us.ID()))
	if err != nil {
		return nil, err
	}
	if err := v.AcceptListKey(SearchKey, wrapped); err != nil {
		return nil, err
	}
	return v.ListKey(SearchKey)
}
