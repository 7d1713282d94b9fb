package listfeed

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Names in State. Published: what older versions wrote is read by newer ones.
const (
	stateRoot      = "root"      // bytes of the newest root
	stateTimestamp = "timestamp" // bytes
	stateSnapshot  = "snapshot"  // bytes
	stateRole      = "role/"     // + role: bytes of targets metadata
	stateVersions  = "versions"  // JSON: highest version of each role, for when bytes are damaged
	stateCounter   = "counter"   // JSON counterState
	stateDevices   = "devices/"  // + path: JSON deviceState
	stateContent   = "content/"  // + path: JSON filesState
	stateList      = "list/"     // + list: JSON listState
	statePending   = "pending/"  // + list: JSON listState that is about to be put in force
	stateSegment   = "segment/"  // + list/GENERATION/NUMBER: sealed bytes
	stateShred     = "shred/"    // + key: it is to be destroyed
)

// deviceState is the list of devices that was last read.
type deviceState struct {
	Sum   target.Sum `json:"sum"`
	Epoch uint64     `json:"epoch"`
	Named bool       `json:"named"` // this device is on it
}

// contentState is a target of files in force.
type contentState struct {
	Sum     target.Sum     `json:"sum"` // of the manifest
	Version uint64         `json:"version"`
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires"`
	Key     target.KeyName `json:"key"`
}

// fileState is a file of a target as it was taken.
type fileState struct {
	Path string     `json:"path"`
	Sum  target.Sum `json:"sum"`
}

// filesState is a target of files that is no list: no table of its own vouches
// for them, so what was taken is kept here.
type filesState struct {
	contentState
	Files []fileState `json:"files"`
	Gone  bool        `json:"gone,omitempty"` // withdrawn; Version is the floor

	damaged bool // what lies on the disk is not what was taken
}

// listState is a list's cursor.
type listState struct {
	contentState
	Owner   string     `json:"owner"`
	Index   target.Sum `json:"index"`   // of the index of segments last applied
	Segment uint64     `json:"segment"` // last applied, 0 for none
	Last    target.Sum `json:"last"`    // its hash
	Issued  time.Time  `json:"issued"`  // its date
	Gone    bool       `json:"gone"`    // withdrawn; Version is the floor
}

// load fills held from State.
func (u *Updater) load(ctx context.Context) error {
	kept, err := u.o.State.Load(ctx)
	if err != nil {
		return err
	}
	h := held{tuf: tuf{versions: map[string]int64{}}, devices: map[string]deviceState{}, contents: map[string]filesState{}, lists: map[string]*list{}, pending: map[string]listState{}}
	if raw := kept[stateVersions]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &h.versions); err != nil {
			return damaged(stateVersions)
		}
	}
	if err := u.checkCounter(ctx, kept[stateCounter], &h); err != nil {
		return err
	}
	segments, shred := map[string][]byte{}, []string(nil)
	for name, raw := range kept {
		kind, rest, _ := strings.Cut(name, "/")
		var err error
		switch kind + "/" {
		case stateDevices:
			err = into(raw, h.devices, rest)
		case stateContent:
			err = into(raw, h.contents, rest)
		case stateList:
			l := &list{}
			err = json.Unmarshal(raw, &l.listState)
			h.lists[rest] = l
		case statePending:
			err = into(raw, h.pending, rest)
		case stateSegment:
			segments[rest] = raw
		case stateShred:
			shred = append(shred, rest)
		}
		if err != nil {
			return damaged(name)
		}
	}
	if err := h.loadMetadata(kept, u.o.Root, u.log); err != nil {
		return err
	}
	for name, c := range h.contents {
		if p, err := target.ParsePath(name); err == nil && !c.Gone && u.checkFiles(p, c) != nil {
			c.damaged = true
			h.contents[name] = c
			u.log.Error("target damaged", "kind", string(p.Kind), "name", p.Name, "code", "listfeed.damaged")
		}
	}
	for name, l := range h.lists {
		if l.Gone {
			continue
		}
		if err := l.replay(u.o.Keys, name, segments); err != nil {
			return err
		}
	}
	if err := u.shredLeft(ctx, shred, h.lists); err != nil {
		return err
	}
	h.judgeLists(false)
	u.held = h
	return u.onlyVersions(h.contents)
}

func into[T any](raw []byte, m map[string]T, name string) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	m[name] = v
	return nil
}

func damaged(name string) error {
	return fault.New("listfeed.state", "what is kept under %s cannot be read", name).
		WithHint("put post.db back from the backup, or have the post provisioned anew")
}

// put notes v under name as JSON.
func put(changes map[string][]byte, name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap("listfeed.state", err)
	}
	changes[name] = raw
	return nil
}

// counterState is what the chip's counter was raised to.
type counterState struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// checkCounter compares the chip's count with the one kept. The chip may be
// behind, by a power cut after the commit; never ahead. A state that was never
// bound to this counter, a fresh one for one, is bound to where it stands.
func (u *Updater) checkCounter(ctx context.Context, raw []byte, h *held) error {
	if u.o.Counter == nil {
		return nil
	}
	now, err := u.o.Counter.Read(ctx)
	if err != nil {
		return err
	}
	var kept counterState
	if len(raw) > 0 && json.Unmarshal(raw, &kept) != nil {
		return damaged(stateCounter)
	}
	if kept.Name != u.o.Counter.Name() {
		if h.count = now; kept.Name != "" || len(h.versions) > 0 {
			u.log.Warn("lists are bound to another counter of the chip")
		}
		changes := map[string][]byte{}
		if err := put(changes, stateCounter, counterState{u.o.Counter.Name(), now}); err != nil {
			return err
		}
		return u.o.State.Commit(ctx, changes)
	}
	if h.count = kept.Count; now > kept.Count {
		return fault.New("listfeed.put_back", "the state of lists is older than the chip has seen").
			WithHint("the state folder was put back: have the post provisioned anew")
	}
	return nil
}
