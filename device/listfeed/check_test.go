package listfeed

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// FuzzMetadata gives bytes to the readers of every role: what go-tuf follows
// without a look must have been looked at before.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"signed":{"_type":"timestamp","spec_version":"1.0.31","version":1,"expires":"2030-01-01T00:00:00Z","meta":{"snapshot.json":null}},"signatures":[]}`))
	f.Add([]byte(`{"signed":{"_type":"snapshot","spec_version":"1.0.31","version":1,"expires":"2030-01-01T00:00:00Z","meta":{"targets.json":{"version":1}}},"signatures":[{"keyid":"a","sig":"00"}]}`))
	f.Add([]byte(`{"signed":{"_type":"root","spec_version":"1.0.31","version":1,"consistent_snapshot":true,"expires":"2030-01-01T00:00:00Z","keys":{"a":null},"roles":{"root":null,"timestamp":{"keyids":["a"],"threshold":1}}},"signatures":[]}`))
	f.Add([]byte(`{"signed":{"_type":"targets","spec_version":"1.0.31","version":1,"expires":"2030-01-01T00:00:00Z","targets":{"un/list/x":null},"delegations":{"keys":{},"roles":[{"name":"un","keyids":["a"],"threshold":2,"paths":["un/list/*"]}]}},"signatures":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, err := range []error{
			second(readRoot(raw)), second(read(raw, target.MaxTimestamp, checkTimestamp)), second(read(raw, target.MaxMetadata, checkSnapshot)),
			second(read(raw, target.MaxMetadata, checkDelegations)), second(read(raw, target.MaxMetadata, checkTargets)),
		} {
			if err != nil && fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
		}
		// What stands for a state that an enemy could reach.
		h := held{tuf: tuf{versions: map[string]int64{}}}
		if h.root, _ = readRoot(raw); h.root != nil {
			h.roles = map[string]role{}
			_ = h.updateTimestamp(raw, time.Unix(0, 0))
		}
	})
}

func second[T any](_ T, err error) error { return err }
