package shard

import (
	"strconv"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Place is a worker's among the shards that lists are split over.
type Place struct {
	Shard int // from 0
	Of    int // shards in all, at least 1
}

// MaxShards bounds how many shards there are.
const MaxShards = 256

// Valid reports whether there can be such a place.
func (p Place) Valid() bool { return p.Of >= 1 && p.Of <= MaxShards && p.Shard >= 0 && p.Shard < p.Of }

// Whole is the place of a worker that holds lists undivided.
var Whole = Place{Shard: 0, Of: 1}

// KeyName is the name under which a list's key is wrapped for workers of this
// place: a part that is put elsewhere does not open there. A whole list's key is
// that of its posts.
func (p Place) KeyName(list string) string {
	if p == Whole {
		return list
	}
	return list + " part " + strconv.Itoa(p.Shard) + " of " + strconv.Itoa(p.Of)
}

// SearchKey is the name under which the key of searches is wrapped for workers.
// No list can have it.
const SearchKey = "watchpost search"

// Directions of what is sealed, so that none is taken for another.
const (
	toWorker   = "question"
	fromWorker = "answer"
	presence   = "presence"
)

// identity binds sealed bytes to their direction, place and search. A worker
// whose lists are split otherwise than central thinks opens nothing.
func (p Place) identity(direction, search string) []byte {
	return vault.Identity("watchpost/search/1", direction, strconv.Itoa(p.Shard), strconv.Itoa(p.Of), search)
}

func seal(key *vault.Key, p Place, direction, search string, plain []byte) ([]byte, error) {
	return key.Seal(nil, plain, p.identity(direction, search))
}

// unseal fails with call.invalid for what was not sealed so.
func unseal(key *vault.Key, p Place, direction, search string, sealed []byte) ([]byte, error) {
	plain, err := key.Open(nil, sealed, p.identity(direction, search))
	if err != nil {
		return nil, fault.New("call.invalid", "not sealed for shard %d of %d", p.Shard, p.Of)
	}
	return plain, nil
}
