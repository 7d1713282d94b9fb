package central

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// TestCoverage has workers that hold the same, another edition, another split,
// nothing that is known, or have gone.
func TestCoverage(t *testing.T) {
	now := time.Now()
	worker := func(id string, shard int, ago time.Duration, holds string) store.Worker {
		told := now.Add(-ago)
		w := store.Worker{ID: id, Shard: shard, Told: &told}
		if holds != "" {
			raw := json.RawMessage(holds)
			w.Holds = &raw
		}
		return w
	}
	gone := worker("gone", 0, 0, `{"shard":0,"of":3,"lists":[]}`)
	gone.Retired = &now
	never := worker("never", 1, 0, "")
	never.Told = nil
	national := func(generation string) string {
		return `{"shard":0,"of":3,"lists":[{"list":"national","generation":` + generation + `,"records":10}]}`
	}
	got, err := covered([]store.Worker{
		worker("a", 0, time.Second, national("7")), worker("b", 0, 2*time.Second, national("7")), gone,
		worker("c", 1, time.Second, national("7")), worker("d", 1, 0, national("6")), never, worker("late", 1, silentAfter, national("7")),
		worker("other", 2, 0, `{"shard":2,"of":4,"lists":[]}`), worker("beyond", 9, 0, national("7")),
	}, 3, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []admin.Shard{
		{Number: 0, Workers: []string{"a", "b"}, Silent: []string{}, Lists: []admin.ShardList{{List: "national", Generation: 7, Records: 10, Whole: true}}},
		{Number: 1, Workers: []string{"c", "d"}, Silent: []string{"never", "late"}, Lists: []admin.ShardList{{List: "national", Generation: 7, Records: 10, Whole: false}}},
		{Number: 2, Workers: []string{}, Silent: []string{"other"}, Lists: []admin.ShardList{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	only := national("7")
	both := `{"shard":0,"of":1,"lists":[{"list":"national","generation":7,"records":10},{"list":"un","generation":1,"records":2}]}`
	got, err = covered([]store.Worker{worker("a", 0, 0, `{"of":1,"lists":[{"list":"national","generation":7,"records":10}]}`), worker("b", 0, 0, both), worker("c", 0, 0, only)}, 1, now)
	if err != nil || len(got[0].Lists) != 2 || !got[0].Lists[0].Whole || got[0].Lists[1].Whole || len(got[0].Silent) != 1 {
		t.Errorf("a list that one worker lacks: %+v, %v", got, err)
	}
	if _, err := covered([]store.Worker{worker("a", 0, 0, `[]`)}, 1, now); err == nil {
		t.Error("what is no word of a worker was taken")
	}
}
