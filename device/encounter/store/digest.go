package store

import (
	"crypto/subtle"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Each value of a counted bucket is authenticated by itself, but not that it
// is there, nor that it is the newest of its name. The digests tell that: for
// each bucket how many entries there are, and the sum without carry of a keyed
// hash of each (bucket, key and value). They are sealed, written in the
// transaction of what they count and compared once after each opening, so that
// an entry that was taken out, put back from an older copy or exchanged is
// noticed. A whole older post.db put back with its records.keys is not: that
// is what the TPM's counter is for (device/vault/UNLOCK.md).

var (
	metaKeys = []byte("keys") // id of records.keys
	metaSums = []byte("sums") // digests, sealed
	counted  = [][]byte{bucketEncounters, bucketEvidence, bucketDue, bucketOutbox, bucketCursors, bucketPasskeys}
)

type digest struct {
	count uint64
	sum   [32]byte
}

// digests are those of the counted buckets.
type digests [6]digest

const digestSize = 8 + 32

// at returns the digest of a counted bucket.
func (d *digests) at(bucket []byte) *digest {
	for i := range counted {
		if string(counted[i]) == string(bucket) {
			return &d[i]
		}
	}
	panic("store: " + string(bucket) + " is not counted")
}

func (d *digests) add(key *vault.Key, bucket, name, value []byte) error {
	return d.at(bucket).mix(key, 1, bucket, name, value)
}

func (d *digests) remove(key *vault.Key, bucket, name, value []byte) error {
	return d.at(bucket).mix(key, ^uint64(0), bucket, name, value)
}

func (d *digest) mix(key *vault.Key, step uint64, bucket, name, value []byte) error {
	mac, err := key.MAC([]byte("watchpost/post.db/entry/1"), bucket, name, value)
	if err != nil {
		return err
	}
	d.count += step
	subtle.XORBytes(d.sum[:], d.sum[:], mac[:])
	return nil
}

// readDigests opens what the last transaction has written; all zero in a new
// database.
func readDigests(tx *bbolt.Tx, sealer Sealer) (*digests, error) {
	d := &digests{}
	sealed := tx.Bucket(bucketMeta).Get(metaSums)
	if sealed == nil {
		return d, nil
	}
	raw, err := sealer.Open(identity(bucketMeta, string(metaSums)), sealed)
	if err != nil || len(raw) != len(d)*digestSize {
		return nil, fault.New(ErrTampered.Code, "the digests do not open").WithHint(ErrTampered.Hint)
	}
	for i := range d {
		d[i].count = binary.BigEndian.Uint64(raw[i*digestSize:])
		copy(d[i].sum[:], raw[i*digestSize+8:])
	}
	return d, nil
}

func (d *digests) write(tx *bbolt.Tx, sealer Sealer) error {
	raw := make([]byte, 0, len(d)*digestSize)
	for i := range d {
		raw = binary.BigEndian.AppendUint64(raw, d[i].count)
		raw = append(raw, d[i].sum[:]...)
	}
	sealed, err := sealer.Seal(identity(bucketMeta, string(metaSums)), raw)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(metaSums, sealed)
}

// check compares the digests with what is there.
func check(tx *bbolt.Tx, key *vault.Key, sealer Sealer) error {
	want, err := readDigests(tx, sealer)
	if err != nil {
		return err
	}
	var have digests
	for _, bucket := range counted {
		err := tx.Bucket(bucket).ForEach(func(k, v []byte) error { return have.add(key, bucket, k, v) })
		if err != nil {
			return err
		}
		if *have.at(bucket) != *want.at(bucket) {
			return fault.New(ErrTampered.Code, "the %s are not those that were written last", bucket).WithHint(ErrTampered.Hint)
		}
	}
	return nil
}

// empty tells whether nothing counted is there.
func empty(tx *bbolt.Tx) bool {
	for _, bucket := range counted {
		if k, _ := tx.Bucket(bucket).Cursor().First(); k != nil {
			return false
		}
	}
	return tx.Bucket(bucketMeta).Get(metaSums) == nil
}
